"""Small instances of the objectives without negatives."""

from kinds import GradientCase

CASES: dict[str, GradientCase] = {}
"""A second case of an objective has its name before a comma."""
