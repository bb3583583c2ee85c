"""Selection: of the best method, of a layer, and of the series to label next."""
