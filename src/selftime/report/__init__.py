"""Reports: run folders and their pages, pictures, tables, data sets and methods at a glance."""
