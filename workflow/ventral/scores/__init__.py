"""How well representations predict, or compare with, what was recorded: the score table."""
