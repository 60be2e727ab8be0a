"""The relaxation by aggregate states: how many requests run, and how many tokens they hold."""
