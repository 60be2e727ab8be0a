"""Branch and bound on which requests run when each one completes, at every magnitude."""
