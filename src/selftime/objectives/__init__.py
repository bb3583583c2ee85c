"""Self-supervised objectives, one file per method."""
