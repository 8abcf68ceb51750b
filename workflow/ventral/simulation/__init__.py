"""Simulation of recordings from networks."""
