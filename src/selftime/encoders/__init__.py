"""What turns a series into vectors."""
