"""The demo programme of `make run`: deterministic, and made through the real writers."""
