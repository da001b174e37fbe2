"""Tests of the purchases: earning rules, batches that shops push, orders from files."""
