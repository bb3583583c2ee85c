"""Models read step by step: windows, options, and the state of a stream as a file."""
