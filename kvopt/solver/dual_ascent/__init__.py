"""Climbing concave functions: how dual values are found."""
