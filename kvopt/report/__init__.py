"""Results as text tables, comma-separated values and JSON objects."""
