"""Comparison of a model with reference rows, gains in accuracy, labels saved, and leaks."""
