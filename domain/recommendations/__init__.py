"""What is shown to members."""
