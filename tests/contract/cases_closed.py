"""Small instances of the objectives that are solved in closed form."""

from cases_encoders import spectral, standardised
from kinds import ClosedFormCase

from selftime.objectives.base import ClosedForm
from selftime.objectives.neighbours import Neighbours, Passage
from selftime.views.mild import Mild


def neighbours(channels: int, strength: float) -> ClosedForm:
    """Few parts of few features; at strength 0 the whole series each time."""
    passage = Passage(share=1 - strength, view=Mild(strength=strength))
    return Neighbours(encoder=standardised(channels, 0), passage=passage, copies=4)


CASES = {"spectral": ClosedFormCase(spectral), "neighbours": ClosedFormCase(neighbours)}
