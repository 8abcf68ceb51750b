"""The page that a person looks at: figures, scores, methods and provenance of a run in one file."""
