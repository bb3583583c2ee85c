"""Learning from labels on top of a model: strategies, fine-tuning, and the choice among them."""
