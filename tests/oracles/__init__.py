"""Slow, literal versions of the model, of policies and of the optimum, to check fast ones."""
