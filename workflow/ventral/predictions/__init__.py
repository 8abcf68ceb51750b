"""Held-out predictions of chosen layers, stored with the measured responses."""
