"""Pretraining: choices, the closed-form pass, the training loop, models as folders, streams."""
