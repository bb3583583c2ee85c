"""What people look at: pictures, the overview of a data set, the list of methods."""
