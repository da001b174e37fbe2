"""The audit log: chained, added to by the transaction that acts, verified."""
