"""Check and complete the user's config."""
