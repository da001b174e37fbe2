"""Keys of external writes: the same key and input give the first answer again."""
