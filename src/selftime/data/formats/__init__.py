"""One module a file format, and text cells."""
