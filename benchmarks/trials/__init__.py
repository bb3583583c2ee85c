"""Trials whose figures are told somewhere, kept so that they can be had again."""
