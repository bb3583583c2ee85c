"""Modules that several methods train or keep beside the encoder."""
