"""Tests of the examples: they are what partners copy."""
