"""What the access matrix is made of: places in the schema, callers, and a quick way to ask."""
