"""Networks, trained by gradient."""
