"""Losses as pure functions of tensors, each with its equation; one file a family."""
