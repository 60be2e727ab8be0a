"""Lower bounds from batches seen every g-th round."""
