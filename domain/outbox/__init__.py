"""Events announced inside a transaction, delivered after it committed."""
