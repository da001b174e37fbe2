"""The shared parts of the schema, proven on a small schema of their own."""
