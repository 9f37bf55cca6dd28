"""From settings and records to trained networks."""
