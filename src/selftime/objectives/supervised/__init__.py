"""Learning from labels: the network, its heads and its target types."""
