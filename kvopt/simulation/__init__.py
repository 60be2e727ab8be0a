"""Policies at work: the machine they see, and the simulator that knows the truth."""
