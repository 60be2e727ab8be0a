"""Exact optima, by several solvers that share as little as possible."""
