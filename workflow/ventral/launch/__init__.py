"""Check and forecast a run when it starts."""
