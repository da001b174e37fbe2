"""The in-app inbox, on both databases."""
