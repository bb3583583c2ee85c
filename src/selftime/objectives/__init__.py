"""What is learned from: one file per method."""

from selftime.objectives.base import ClosedForm, Objective
from selftime.objectives.neighbours import Neighbours
from selftime.objectives.simclr import SimCLR
from selftime.objectives.spectral import Spectral
from selftime.objectives.ts2vec import TS2Vec

OBJECTIVES: dict[str, type[ClosedForm] | type[Objective]] = {
    "spectral": Spectral,
    "neighbours": Neighbours,
    "ts2vec": TS2Vec,
    "simclr": SimCLR,
}
"""Objectives by the names people type."""
