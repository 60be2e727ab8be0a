"""Searches over states of the memory: optima of small instances."""
