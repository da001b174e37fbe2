"""Refunds, on both databases."""
