"""What the solver does only for instances with release times after 0."""
