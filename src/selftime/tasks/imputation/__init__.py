"""Values for gaps, expected from all that was observed around them."""
