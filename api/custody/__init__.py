"""Exports and erasures at the edge: their settings, the link to a file, the recurring work."""
