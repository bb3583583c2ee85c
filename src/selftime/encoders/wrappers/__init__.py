"""Encoders around another encoder."""
