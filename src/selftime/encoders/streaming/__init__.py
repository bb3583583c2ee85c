"""Encoders fed step by step."""
