"""All views by name and by kind of signal, as usual and at a few strengths from weak to strong."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, NamedTuple, TypeVar

from torch import Generator

from selftime.data.batch import Batch
from selftime.data.signals import Film, Images, Measurements, Signal
from selftime.views.amplitude import (
    drift,
    flip,
    jitter,
    light,
    loudness,
    magnitude_warp,
    rotate,
    scale,
    smooth,
    spike,
)
from selftime.views.masks import band_mask, channel_dropout, span_mask, step_mask
from selftime.views.mild import Mild, View
from selftime.views.pairs import Chain, Fixed, RandomCrop, same
from selftime.views.pictures import crop_picture, cut_out, mirror, shift_picture, tint
from selftime.views.spectrum import frequency_mask, spectrum
from selftime.views.timing import (
    crop_resize,
    permute,
    reverse,
    shift,
    stretch,
    swap_neighbours,
    time_warp,
    window_warp,
)

VIEWS: dict[str, View] = {
    "mild": Mild(),
    "jitter": jitter,
    "scale": scale,
    "magnitude_warp": magnitude_warp,
    "flip": flip,
    "drift": drift,
    "spike": spike,
    "smooth": smooth,
    "rotate": rotate,
    "stretch": stretch,
    "shift": shift,
    "time_warp": time_warp,
    "window_warp": window_warp,
    "crop_resize": crop_resize,
    "permute": permute,
    "reverse": reverse,
    "channel_dropout": channel_dropout,
    "span_mask": span_mask,
    "spectrum": spectrum,
    "frequency_mask": frequency_mask,
}
"""Views of measurements with their default settings."""

Strength = float | int
"""The setting of a strength; a count for some views."""


class Graded(NamedTuple):
    """A view at several strengths.

    ``keyword`` is the argument that sets the strength, ``amounts`` are its values from weak to
    strong, the default among them, and ``views`` the view at each of them.
    """

    keyword: str
    amounts: tuple[Strength, ...]
    views: tuple[View, ...]


def grade(view: Callable[..., Batch], keyword: str, *amounts: Strength) -> Graded:
    """Set one argument of a view to each of several values."""
    views = tuple(Fixed(view, **{keyword: amount}) for amount in amounts)
    return Graded(keyword, amounts, views)


def mild(x: Batch, rng: Generator, *, strength: float) -> Batch:
    """:class:`Mild` at a strength."""
    return Mild(strength=strength)(x, rng)


def spectral(x: Batch, rng: Generator, *, removed: float) -> Batch:
    """Apply the view ``spectrum`` with as many raised as removed frequencies."""
    return spectrum(x, rng, removed=removed, raised=removed)


VIEW_STRENGTHS: dict[str, Graded] = {
    "mild": grade(mild, "strength", 0.25, 1.0, 2.0),
    "jitter": grade(VIEWS["jitter"], "strength", 0.0125, 0.05, 0.1),
    "scale": grade(VIEWS["scale"], "strength", 0.025, 0.1, 0.2),
    "magnitude_warp": grade(VIEWS["magnitude_warp"], "strength", 0.05, 0.2, 0.4),
    "flip": grade(VIEWS["flip"], "chance", 0.5),
    "drift": grade(VIEWS["drift"], "strength", 0.05, 0.2, 0.4),
    "spike": grade(VIEWS["spike"], "strength", 0.75, 3.0, 6.0),
    "smooth": grade(VIEWS["smooth"], "strength", 0.01, 0.04, 0.08),
    "rotate": grade(VIEWS["rotate"], "strength", 0.025, 0.1, 0.2),
    "stretch": grade(VIEWS["stretch"], "strength", 0.02, 0.08, 0.16),
    "shift": grade(VIEWS["shift"], "strength", 0.01, 0.04, 0.08),
    "time_warp": grade(VIEWS["time_warp"], "strength", 0.005, 0.02, 0.04),
    "window_warp": grade(VIEWS["window_warp"], "speed", 1.2, 2.0, 4.0),
    "crop_resize": grade(VIEWS["crop_resize"], "least", 0.975, 0.9, 0.8),
    "permute": grade(VIEWS["permute"], "segments", 2, 4, 8),
    "reverse": grade(VIEWS["reverse"], "chance", 0.5),
    "channel_dropout": grade(VIEWS["channel_dropout"], "chance", 0.05, 0.2, 0.4),
    "span_mask": grade(VIEWS["span_mask"], "share", 0.025, 0.1, 0.2),
    "spectrum": grade(spectral, "removed", 0.025, 0.1, 0.2)._replace(keyword="removed, raised"),
    "frequency_mask": grade(VIEWS["frequency_mask"], "share", 0.025, 0.1, 0.2),
}
"""A quarter of the default, the default and twice as strong; one strength where a series is
turned over or not at all."""

_PICTURES = {
    "crop_picture": grade(crop_picture, "least", 0.9, 0.6, 0.2),
    "shift_picture": grade(shift_picture, "strength", 0.025, 0.1, 0.2),
    "mirror": grade(mirror, "chance", 0.5),
    "light": grade(light, "strength", 0.05, 0.2, 0.4),
    "tint": grade(tint, "strength", 0.05, 0.2, 0.4),
    "cut_out": grade(cut_out, "share", 0.0625, 0.25, 0.5),
    "jitter": VIEW_STRENGTHS["jitter"],
}
_SOUNDS = {name: VIEW_STRENGTHS[name] for name in ("jitter", "stretch", "shift", "time_warp")}
_FRAMES = grade(step_mask, "share", 0.0375, 0.15, 0.3)
_BY_KIND: dict[str, dict[str, Graded]] = {
    "images": _PICTURES,
    "film": _PICTURES | {"step_mask": _FRAMES, "reverse": VIEW_STRENGTHS["reverse"]},
    "text": {
        "step_mask": _FRAMES,
        "span_mask": VIEW_STRENGTHS["span_mask"],
        "swap_neighbours": grade(swap_neighbours, "chance", 0.025, 0.1, 0.2),
    },
    "sound": {
        "loudness": grade(loudness, "strength", 0.05, 0.2, 0.4),
        **_SOUNDS,
        "span_mask": VIEW_STRENGTHS["span_mask"],
        "band_mask": grade(band_mask, "share", 0.05, 0.2, 0.4),
    },
    "wave": {
        **{name: VIEW_STRENGTHS[name] for name in ("scale", "flip", "smooth", "span_mask")},
        **_SOUNDS,
        "frequency_mask": VIEW_STRENGTHS["frequency_mask"],
    },
}
"""Views of other kinds than measurements; none of a text changes a symbol into another number."""


def strengths_for(kind: Signal) -> dict[str, Graded]:
    """Return the views that series of a kind have, each from weak to strong, the usual one first.

    Where nothing is said, three strengths are a quarter of the usual, the usual and twice it.
    """
    if isinstance(kind, Measurements):
        return VIEW_STRENGTHS
    first = Graded("strength", *_usual_strengths(kind))
    return {"mild": first} | {
        name: graded._replace(views=tuple(_of_kind(view, kind) for view in graded.views))
        for name, graded in _BY_KIND[kind.name].items()
        if name != "tint" or getattr(kind, "colours", 1) > 1
    }


def _usual_strengths(kind: Signal) -> tuple[tuple[Strength, ...], tuple[View, ...]]:
    amounts = (0.25, 1.0, 2.0)
    return amounts, tuple(view_of(kind, strength=amount) for amount in amounts)


def _of_kind(view: View, kind: Signal) -> View:
    """Return a view with the kind in it, where it asks for one."""
    if not isinstance(view, Fixed) or "kind" not in inspect.signature(view.func).parameters:
        return view
    return Fixed(view.func, kind=kind, **view.keywords)


def views_for(kind: Signal) -> dict[str, View]:
    """Return the views that series of a kind have, with their usual settings."""
    if isinstance(kind, Measurements):
        return VIEWS
    graded = strengths_for(kind)
    return {name: found.views[len(found.views) // 2] for name, found in graded.items()}


def view_of(kind: Signal, *, strength: float = 1.0) -> View:
    """Return the usual view of a kind: small changes that leave a series what it is.

    Args:
        kind: measurements have :class:`Mild`. Pictures and films are cropped a little, and change
            in light and colour; of films some frames are lost. Sounds change in loudness, and lose
            some time and some bands (Park et al. 2019); waveforms have either sign. Texts lose
            some symbols, and have some swapped.
        strength: multiplies all changes; 0 leaves series as they are.
    """
    if isinstance(kind, Measurements):
        return Mild(strength=strength)
    if isinstance(kind, Images | Film):
        return Chain((*_picture_changes(kind, strength), *_losses(kind, strength)))
    return Chain(_CHANGES[kind.name](strength))


def _picture_changes(kind: Images | Film, strength: float) -> tuple[View, ...]:
    colours = (Fixed(tint, kind=kind, strength=0.1 * strength),) if kind.colours > 1 else ()
    return (
        Fixed(crop_picture, kind=kind, least=max(1 - 0.4 * strength, 0.08)),
        Fixed(light, strength=0.2 * strength),
        *colours,
        Fixed(jitter, strength=0.03 * strength),
    )


def _losses(kind: Images | Film, strength: float) -> tuple[View, ...]:
    return (Fixed(step_mask, share=min(0.05 * strength, 0.5)),) if kind.in_time else ()


def _sound_changes(strength: float) -> tuple[View, ...]:
    return (
        Fixed(shift, strength=min(0.04 * strength, 1.0)),
        Fixed(time_warp, strength=0.01 * strength),
        Fixed(loudness, strength=0.2 * strength),
        Fixed(jitter, strength=0.05 * strength),
        Fixed(span_mask, spans=2, share=min(0.05 * strength, 0.5)),
        Fixed(band_mask, share=min(0.1 * strength, 0.5)),
    )


def _wave_changes(strength: float) -> tuple[View, ...]:
    return (
        Fixed(shift, strength=min(0.04 * strength, 1.0)),
        Fixed(scale, strength=0.2 * strength),
        Fixed(flip, chance=min(0.5 * strength, 0.5)),
        Fixed(jitter, strength=0.03 * strength),
        Fixed(span_mask, spans=2, share=min(0.05 * strength, 0.5)),
    )


def _text_changes(strength: float) -> tuple[View, ...]:
    return (
        Fixed(swap_neighbours, chance=min(0.1 * strength, 1.0)),
        Fixed(step_mask, share=min(0.15 * strength, 0.9)),
        Fixed(span_mask, spans=2, share=min(0.05 * strength, 0.5)),
    )


_CHANGES: Mapping[str, Callable[[float], tuple[View, ...]]] = {
    "sound": _sound_changes,
    "wave": _wave_changes,
    "text": _text_changes,
}
"""Changes of the usual view by kind, at a strength."""

Setting = TypeVar("Setting")


def suited(setting: Setting, kind: Signal) -> Setting:
    """Return a setting with the views of a kind in the place of those of measurements.

    :class:`Mild` becomes :func:`view_of` the kind at the same strength, also within a pair of views
    or another view; crops in time become the whole where steps are in no order of time. Whatever
    else it is stays.
    """
    if isinstance(kind, Measurements):
        return setting
    made: Any = setting
    if isinstance(setting, Mild):
        made = view_of(kind, strength=setting.strength)
    elif isinstance(setting, RandomCrop):
        made = setting if kind.in_time else same
    elif is_dataclass(setting) and not isinstance(setting, type):
        parts = {f.name: getattr(setting, f.name) for f in fields(setting)}
        ours = {name: suited(part, kind) for name, part in parts.items()}
        changed = {name: part for name, part in ours.items() if part is not parts[name]}
        made = replace(setting, **changed) if changed else setting
    suitable: Setting = made
    return suitable
