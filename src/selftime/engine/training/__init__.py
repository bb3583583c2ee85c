"""One training loop, its state, and the folder that keeps a run."""
