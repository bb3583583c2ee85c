"""What comes in: series, readers, windows, scaling, bundled samples."""
