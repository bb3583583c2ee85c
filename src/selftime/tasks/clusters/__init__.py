"""Clusters of series by their vectors, and states of recordings."""
