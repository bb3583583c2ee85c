"""How learning runs: the closed-form pass and the model folder."""
