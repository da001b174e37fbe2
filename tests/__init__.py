"""What the project proves of itself. One folder per kind of proof."""
