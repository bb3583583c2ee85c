"""The data that come in: series, readers, windows, scaling, bundled samples."""
