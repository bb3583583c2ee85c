"""Heads on frozen embeddings: the probe, its ridge regression, and semi-supervised heads."""
