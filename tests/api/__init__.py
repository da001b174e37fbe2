"""The edge: HTTP, tokens, limits, health, settings, logs, through the real ASGI app."""
