"""The ledger: its pure rules, postings, reading and verification on both databases."""
