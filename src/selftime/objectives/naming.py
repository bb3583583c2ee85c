"""Objectives by what people type: a name, or a sum such as "simclr + 0.5*masked_patches"."""

import inspect
import re
from typing import NamedTuple

from selftime.encoders.base import Encoder
from selftime.encoders.builders import PATCHES
from selftime.objectives import OBJECTIVES
from selftime.objectives.base import ClosedForm, Objective
from selftime.objectives.combined import Combined


class Term(NamedTuple):
    """One objective of a sum.

    Attributes:
        name: a key of :data:`selftime.objectives.OBJECTIVES`.
        weight: its factor.
    """

    name: str
    weight: float


def terms_in(text: str) -> list[Term]:
    """The terms of a sum; a single name is a sum of one term.

    Raises:
        ValueError: a name that is not known, or a term that is not "name" or "weight*name".
    """
    return [_term(part) for part in text.split("+")]


def _term(text: str) -> Term:
    found = re.fullmatch(r"\s*(?:([0-9.]+)\s*\*)?\s*(\w+)\s*", text)
    if found is None:
        raise ValueError(
            f"got {text.strip()!r} as an objective, wanted a name or a weight and a name: "
            "such as 'simclr' or 'simclr + 0.5*masked_patches'"
        )
    weight, name = found.groups()
    if name not in OBJECTIVES:
        raise ValueError(f"got objective {name!r}, wanted one of {', '.join(OBJECTIVES)}")
    return Term(name, 1.0 if weight is None else float(weight))


def takes_steps(text: str) -> bool:
    """Whether what is named is learned by gradient, step by step.

    Raises:
        ValueError: a name that is not known, or a closed form within a sum.
    """
    terms = terms_in(text)
    closed = [term.name for term in terms if issubclass(OBJECTIVES[term.name], ClosedForm)]
    if closed and len(terms) > 1:
        raise ValueError(
            f"{closed[0]} is solved in one pass and has no loss to add up: train the others first "
            "and give the model as encoder"
        )
    return not closed


def build_objective(
    text: str, encoder: Encoder, *, seed: int = 0, length: int | None = None
) -> Objective:
    """What is named, on this encoder, with the settings of its paper.

    Args:
        text: a name, or a weighted sum, of objectives learned by gradient.
        encoder: what they train.
        seed: of the weights that are trained beside it.
        length: steps of a usual series, so that patches suit it; None leaves them as published.

    Raises:
        ValueError: what is not known, or cannot be trained on this encoder.
    """
    terms = terms_in(text)
    made = [_on(OBJECTIVES[term.name], encoder, seed, length) for term in terms]
    if len(made) == 1:
        return made[0]
    return Combined(objectives=made, weights=[term.weight for term in terms])


def _on(
    kind: type[ClosedForm] | type[Objective], encoder: Encoder, seed: int, length: int | None
) -> Objective:
    known = inspect.signature(kind).parameters
    settings = {"seed": seed} if "seed" in known else {}
    if "patch" in known:
        settings["patch"] = patch_for(known["patch"].default, encoder.stride or 1, length)
    made: Objective = kind(encoder=encoder, **settings)  # type: ignore[call-arg, assignment]
    return made


def patch_for(published: int, stride: int, length: int | None) -> int:
    """Steps of a patch: as published, less for short series, and always whole tokens."""
    wanted = published if length is None else min(published, max(length // PATCHES, 1))
    return stride * -(-wanted // stride)
