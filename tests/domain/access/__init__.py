"""Access: keys and tokens without a database, accounts on both."""
