"""Lower bounds: linear, aggregate-state, batch-state and demand-dual relaxations."""
