"""Races on real PostgreSQL: each waits until the competitors are seen to wait for each other."""
