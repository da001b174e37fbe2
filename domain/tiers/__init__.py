"""Levels, what qualifies for them, and perks."""
