"""Audit results: check every output against its provenance, and rerun some jobs."""
