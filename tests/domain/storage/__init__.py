"""Storage: statements, types, transactions, waits and connections, on both databases."""
