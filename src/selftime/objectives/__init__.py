"""What is learned from: one file per method."""

from selftime.objectives.base import ClosedForm
from selftime.objectives.spectral import Spectral

OBJECTIVES: dict[str, type[ClosedForm]] = {"spectral": Spectral}
"""Objectives by the names people type."""
