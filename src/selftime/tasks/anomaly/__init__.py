"""Anomaly detection: scores for every step, alarms at a promised rate, honest metrics."""
