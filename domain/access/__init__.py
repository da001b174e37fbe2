"""Who may call: tokens, signing keys, API clients, staff accounts."""
