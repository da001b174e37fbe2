"""Behaviour under stress: who is let in, how long a request may take, how the process leaves."""
