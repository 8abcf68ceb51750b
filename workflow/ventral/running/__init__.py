"""Execution of jobs: threads, processes, devices, clusters, progress."""
