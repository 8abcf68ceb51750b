"""Mappings that predict targets from a representation, and comparisons without a fit."""
