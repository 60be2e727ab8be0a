"""The relaxation by batch states: multisets of ages of the running requests."""
