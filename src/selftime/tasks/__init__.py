"""Uses of representations: few-label classification, comparisons, forecasts, anomalies."""
