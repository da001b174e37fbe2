"""Orders and the rules by which they earn points."""
