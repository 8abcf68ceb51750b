"""Statistics of scores: summaries, comparisons and claims, with their uncertainty."""
