"""Encoders: the maps from series to vectors."""
