"""The relaxation that sees, in every g-th round, how many run and how many looks they have seen."""
