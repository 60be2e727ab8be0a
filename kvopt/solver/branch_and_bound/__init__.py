"""Branch and bound on start times."""
