"""How work runs here: threads, processes, cluster, progress."""
