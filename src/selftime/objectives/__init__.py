"""What is learned from: one file per method."""
