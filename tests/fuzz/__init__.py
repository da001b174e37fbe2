"""Requests that nobody sane would send: the gateway answers each with a refusal, and soon."""
