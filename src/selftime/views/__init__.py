"""Views: random changes under which a series keeps its meaning (augmentations)."""
