"""Partner platforms at the edge: where they call from, what they signed, how they get tokens."""
