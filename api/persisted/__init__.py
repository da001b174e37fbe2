"""Documents by hash: those of a manifest, which are trusted, and those that clients sent before."""
