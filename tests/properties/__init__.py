"""Random histories, compared with a small reference model after every step."""
