"""Objectives by what people type: a name, or a sum such as "simclr + 0.5*masked_patches"."""

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Generator, nn

from selftime.data.batch import Batch
from selftime.data.signals import Measurements, Signal
from selftime.door import option
from selftime.encoders.base import Encoder
from selftime.encoders.builders import PATCHES
from selftime.objectives.base import ClosedForm, Guess, Objective, Step
from selftime.objectives.registry import OBJECTIVES, SPELLINGS
from selftime.settings import find_name
from selftime.views.registry import suited, view_of


class Combined(Objective):
    """A weighted sum of objectives: masked and contrastive learning at once, or any other mix.

    Each objective sees the same batch and draws its own views. The recipe is that of the first.

    Attributes:
        encoder: the one that all of them train.
        objectives: two or more, made on the same encoder.
        weights: one factor per objective; None is 1 for each.

    Raises:
        ValueError: fewer than two objectives, several encoders, or other weights than objectives.
    """

    family = "combined"
    suits = "one method alone leaves something out: masked values for detail, contrast for identity"

    def __init__(
        self, *, objectives: Sequence[Objective], weights: Sequence[float] | None = None
    ) -> None:
        super().__init__()
        check_parts(objectives, weights)
        self.encoder = objectives[0].encoder
        self.parts = nn.ModuleList(objectives)
        self.weights = None if weights is None else [float(weight) for weight in weights]
        self.recipe = objectives[0].recipe

    @property
    def objectives(self) -> list[Objective]:
        """The parts, in the order of their weights."""
        return [part for part in self.parts if isinstance(part, Objective)]

    def prepare(self, sample: Batch, rng: Generator) -> None:
        """Prepare each of them."""
        for objective in self.objectives:
            objective.prepare(sample, rng)

    def forward(self, batch: Batch, rng: Generator) -> Step:
        """Add up the weighted losses; the parts of each are logged under its name."""
        steps = [objective(batch, rng) for objective in self.objectives]
        weights = self.weights or [1.0] * len(steps)
        loss = torch.stack([w * step.loss for w, step in zip(weights, steps, strict=True)]).sum()
        parts = {}
        for name, step in zip(self.names(), steps, strict=True):
            parts[name] = step.loss.detach()
            parts |= {f"{name}: {part}": value for part, value in step.parts.items()}
        return Step(loss, parts, steps[0].embeddings)

    def guess(self, batch: Batch, rng: Generator) -> Guess | None:
        """Return what the first of them that hides something makes of it."""
        found = (objective.guess(batch, rng) for objective in self.objectives)
        return next((guess for guess in found if guess is not None), None)

    def after_step(self, progress: float) -> None:
        """Move the teachers of each."""
        for objective in self.objectives:
            objective.after_step(progress)

    def names(self) -> list[str]:
        """Return class names, numbered where one occurs more than once."""
        plain = [type(objective).__name__ for objective in self.objectives]
        several = {name for name in plain if plain.count(name) > 1}
        return [f"{name} {i}" if name in several else name for i, name in enumerate(plain, 1)]


def check_parts(objectives: Sequence[Objective], weights: Sequence[float] | None) -> None:
    """Raise a ValueError for objectives or weights that cannot be added up."""
    if len(objectives) < 2:
        raise ValueError(f"got {len(objectives)} objectives, wanted at least 2 to combine")
    if any(objective.encoder is not objectives[0].encoder for objective in objectives):
        raise ValueError("got objectives on several encoders: make all of them with the same one")
    if weights is not None and len(weights) != len(objectives):
        raise ValueError(f"got {len(weights)} weights for {len(objectives)} objectives: one each")
    if weights is not None and not all(weight > 0 for weight in weights):
        raise ValueError(f"got weights {list(weights)}, wanted each more than 0")


class Term(NamedTuple):
    """One objective of a sum: a key of ``OBJECTIVES`` and its factor."""

    name: str
    weight: float

    def __str__(self) -> str:
        return self.name if self.weight == 1 else f"{self.weight:.12g}*{self.name}"


def terms_in(text: str) -> list[Term]:
    """Return the terms of a sum such as "simclr + 0.5*mae"; a single name is a sum of one."""
    return [_term(part) for part in text.split("+")]


def _term(text: str) -> Term:
    found = re.fullmatch(r"\s*(?:([0-9.]+)\s*\*)?\s*(\w+(?:[- ]\w+)*)\s*", text)
    if found is None:
        raise ValueError(
            f"got {text.strip()!r} as an objective, wanted a name or a weight and a name: "
            "such as 'simclr' or 'simclr + 0.5*masked_patches'"
        )
    weight, name = found.groups()
    name = find_name("objective", name, OBJECTIVES, SPELLINGS)
    return Term(name, 1.0 if weight is None else float(weight))


def takes_steps(text: str) -> bool:
    """Return whether the named objective is learned by gradient, step by step.

    An unknown name or a closed form within a sum raises a ValueError.
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
    text: str,
    encoder: Encoder,
    *,
    kind: Signal = Measurements(),  # noqa: B008
    seed: int = 0,
    length: int | None = None,
) -> Objective:
    """Build the named objective or weighted sum on this encoder, with the settings of its paper.

    Args:
        text: a name, or a weighted sum.
        encoder: that is trained.
        kind: of the series: views are those of it, and where a step stands for itself (a patch of a
            picture, a symbol, a frame of a film) so does a token.
        seed: draws the weights trained beside the encoder.
        length: steps of the series that patches suit; None leaves them as published.

    Raises:
        ValueError: an unknown name, an objective that makes no sense for the kind, or one that
            cannot train this encoder.
    """
    terms = terms_in(text)
    check_signal(terms, kind)
    made = [_on(OBJECTIVES[term.name], encoder, kind, seed, length) for term in terms]
    if len(made) == 1:
        return made[0]
    return Combined(objectives=made, weights=[term.weight for term in terms])


def check_signal(terms: Sequence[Term], kind: Signal) -> None:
    """Raise a ValueError for an objective that makes no sense for a kind; it names those that do.

    Order, for one, is nothing that the patches of a picture have, and symbols cannot be mixed.
    """
    for term in terms:
        check_method(OBJECTIVES[term.name], option("objective", term.name), kind)


def check_learner(learner: ClosedForm | Objective, kind: Signal) -> None:
    """Raise a ValueError for a ready objective that makes no sense for a kind of signal."""
    for part in learner.objectives if isinstance(learner, Combined) else [learner]:
        check_method(type(part), type(part).__name__, kind)


def check_method(method: type[ClosedForm] | type[Objective], typed: str, kind: Signal) -> None:
    """Raise a ValueError, which calls the method as it was typed, where it suits no such kind."""
    if kind.name not in method.signals:
        raise ValueError(
            f"got {typed} for {kind.name}, which has nothing to learn there, wanted one of "
            f"{', '.join(objectives_for(kind))}"
        )


def objectives_for(kind: Signal) -> list[str]:
    """Return the names of the objectives that make sense for a kind of signal."""
    return [name for name, method in OBJECTIVES.items() if kind.name in method.signals]


def _on(
    method: type[ClosedForm] | type[Objective],
    encoder: Encoder,
    kind: Signal,
    seed: int,
    length: int | None,
) -> Objective:
    known = inspect.signature(method).parameters
    settings = settings_for(method, kind)
    if "seed" in known:
        settings["seed"] = seed
    for name in {"patch", "frame"} & set(known):
        if not kind.in_rows:
            settings[name] = encoder.stride or 1
        elif name == "patch":
            settings[name] = patch_for(known[name].default, encoder.stride or 1, length)
    made: Objective = method(encoder=encoder, **settings)  # type: ignore[call-arg, assignment]
    return made


def settings_for(method: type[ClosedForm] | type[Objective], kind: Signal) -> dict[str, Any]:
    """Return the settings of a method, its views above all, that are others for a kind."""
    usual = {name: known.default for name, known in inspect.signature(method).parameters.items()}
    ours = {name: suited(setting, kind) for name, setting in usual.items()}
    views = {name: setting for name, setting in ours.items() if setting is not usual[name]}
    own = _OF_KIND.get((method, kind.name))
    return views | (own(kind) if own else {})


def _order_of_frames(kind: Signal) -> dict[str, Any]:
    """Return settings for orders of a film, whose few frames are soon known by heart."""
    return {"differences": True, "view": view_of(kind)}


_OF_KIND: Mapping[tuple[type, str], Callable[[Signal], dict[str, Any]]] = {
    (OBJECTIVES["bert"], "text"): lambda _: {"between": True},
    (OBJECTIVES["right_order"], "film"): _order_of_frames,
    (OBJECTIVES["segment_order"], "film"): _order_of_frames,
    (OBJECTIVES["next_step"], "film"): lambda _: {"change": True},
}
"""Settings of a method that are others for a kind; `benchmarks.signals` judges it with them."""


def patch_for(published: int, stride: int, length: int | None) -> int:
    """Return the steps of a patch: as published, less for short series, and always whole tokens."""
    wanted = published if length is None else min(published, max(length // PATCHES, 1))
    return stride * -(-wanted // stride)
