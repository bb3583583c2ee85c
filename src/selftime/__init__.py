"""Self-supervised learning for time series: from raw recordings to results with few labels."""
