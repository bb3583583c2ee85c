"""Audit of views: measures which of them destroy labels."""
