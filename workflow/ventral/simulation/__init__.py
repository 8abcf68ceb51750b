"""Recordings that are simulated from networks."""
