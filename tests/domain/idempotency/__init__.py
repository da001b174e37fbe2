"""Idempotency keys, on both databases."""
