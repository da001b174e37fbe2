"""Faults: cancellations, kills, servers that are down."""
