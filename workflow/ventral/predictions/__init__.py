"""Held-out predictions of chosen layers, written beside the responses that were measured."""
