"""Scores of representations against recordings: predictions, comparisons and the score table."""
