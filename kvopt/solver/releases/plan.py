"""The plan of the solver for instances with release times after 0."""
