"""Gram matrices of representations: inner products between stimuli."""
