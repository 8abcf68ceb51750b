"""Make the page of a run: figures, scores, methods and provenance in one file."""
