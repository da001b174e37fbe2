"""Products and themes."""
