"""Encoders without training: random convolutions and quantiles."""
