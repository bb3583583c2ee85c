"""Evaluation of a classifier on test series: figures, calibration and mistakes."""
