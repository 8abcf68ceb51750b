"""Recordings: responses of neuroids with their reliability, and dissimilarity matrices."""
