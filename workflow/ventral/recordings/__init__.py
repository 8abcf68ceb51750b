"""Recordings: responses of neuroids and their reliability, dissimilarity matrices, simulations."""
