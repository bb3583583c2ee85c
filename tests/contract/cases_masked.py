"""Small instances of the masked objectives."""

from kinds import GradientCase

CASES: dict[str, GradientCase] = {}
"""A second case of an objective has its name before a comma."""
