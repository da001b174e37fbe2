"""Recommendations at the edge: how they are trained, by which settings."""
