"""The time-indexed linear program with rows on a grid of times, for every size."""
