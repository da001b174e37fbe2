"""The programme, on both databases."""
