"""Monitors of a run and criteria for models, all without labels."""
