"""Kinds matched: pictures, texts, sounds and films as a model reads them, or as they are wanted."""

from collections.abc import Sequence
from dataclasses import replace

from selftime.data.arrays import SeriesError
from selftime.data.forms import Form
from selftime.data.images import resize_series, whole_patches
from selftime.data.mel import recordings_of, sounds_of
from selftime.data.series import SeriesSet
from selftime.data.signals import (
    Film,
    Images,
    Measurements,
    Signal,
    Sound,
    Text,
    Wave,
    size_in_pixels,
)
from selftime.data.symbols import decode, recode, vocabulary_of
from selftime.door import option, tell


def match_kind(series: SeriesSet, kind: Signal) -> SeriesSet:
    """Return the series as a model of a kind reads them; what is changed or lost is said.

    Pictures and films get its size and colours, pictures its patches, texts its vocabulary.

    Raises:
        SeriesError: series of another kind, or sound at another rate.
    """
    if series.kind == kind:
        return series
    found = _alike(series, kind)
    tell([note for note in found.notes if note not in series.notes])
    return found


def _alike(series: SeriesSet, kind: Signal) -> SeriesSet:
    own = series.kind
    if isinstance(own, Images) and isinstance(kind, Images):
        return _resize(series, own, kind)
    if isinstance(own, Film) and isinstance(kind, Film):
        return _resize(series, own, kind)
    if isinstance(own, Text) and isinstance(kind, Text):
        return recode(series, kind)
    if isinstance(own, Sound | Wave) and isinstance(kind, Sound | Wave) and own.rate != kind.rate:
        raise SeriesError(
            f"got {own.words}, wanted {kind.words}: read it again at that rate, "
            f"{option('kind', kind.name)}, {option('rate', kind.rate)}"
        )
    if own.name == kind.name:
        raise SeriesError(f"got {own}, wanted {kind}: read it again, kind=model.kind")
    raise SeriesError(
        f"got {own.name}, wanted {kind.name} as it was pretrained on ({kind.words}): read it so, "
        f"{option('kind', kind.name)}"
    )


def _resize(series: SeriesSet, own: Images | Film, kind: Images | Film) -> SeriesSet:
    notes = series.notes
    if (own.height, own.width, own.colours) != (kind.height, kind.width, kind.colours):
        sizes = [
            f"{size_in_pixels(each.height, each.width)}{' in colour' * (each.colours == 3)}"
            for each in (own, kind)
        ]
        notes = (*notes, f"{own.name} of {sizes[0]} are brought to {sizes[1]}")
    return replace(resize_series(series, kind), notes=notes)


def common_kind(sets: Sequence[SeriesSet]) -> Signal:
    """Return the kind in which sets are joined: that of the first, with the letters of all."""
    first = sets[0].kind
    texts = [each.kind for each in sets if isinstance(each.kind, Text)]
    if len(texts) == len(sets) and all(kind.level == "characters" for kind in texts):
        letters = set[str]().union(*(kind.vocabulary for kind in texts))
        if letters != set(texts[0].vocabulary):
            return Text(vocabulary=tuple(sorted(letters)))
    return first


def in_form(series: SeriesSet, form: Form) -> SeriesSet:
    """Return series that have a kind already in the form that is asked for.

    Waves become frames of sound where these are wanted; pictures other patches, texts others
    symbols.

    Raises:
        SeriesError: another kind.
    """
    own, name = series.kind, form.name
    if isinstance(own, Wave) and (name == "sound" or (name != "text" and form.rate is not None)):
        return _sound_again(series, form)
    if form.like is not None:
        return match_kind(series, form.like)
    if name not in (None, own.name):
        hint = "images, texts, sounds and films are made of files and arrays"
        what = "measurements" if isinstance(own, Measurements) else own.name
        raise SeriesError(f"got {what}, wanted {name}: leave out {option('kind')}, since {hint}")
    series = replace(series, notes=(*series.notes, *form.idle_for(own.name)))
    if isinstance(own, Images) and (form.patch or form.size):
        sides = _sides_of(own, form)
        patch = form.patch or own.patch
        (height, width), notes = whole_patches(sides, patch)
        kind = replace(own, height=height, width=width, patch=patch)
        return replace(resize_series(series, kind), notes=(*series.notes, *notes))
    if isinstance(own, Film) and (form.size or form.rate):
        height, width = _sides_of(own, form)
        film = replace(own, height=height, width=width, rate=float(form.rate or own.rate))
        return replace(resize_series(series, film), notes=series.notes)
    if isinstance(own, Text) and form.symbols not in (None, own.level):
        texts = [decode(series.series(i)[0], own) for i in range(len(series))]
        return recode(series, vocabulary_of(texts, form))
    if isinstance(own, Sound) and form.rate not in (None, own.rate):
        raise SeriesError(f"got {own.words}, wanted {form.rate:,} Hz: read the waveform at it")
    return series


def _sides_of(own: Images | Film, form: Form) -> tuple[int, int]:
    if form.size is None:
        return own.height, own.width
    if len(form.size) == 2:
        return form.size[0], form.size[1]
    share = form.size[0] / max(own.height, own.width)
    return max(round(own.height * share), 1), max(round(own.width * share), 1)


def _sound_again(series: SeriesSet, form: Form) -> SeriesSet:
    """Return waves at another rate, or as frames."""
    name = form.name or "wave"
    found = sounds_of(recordings_of(series), form, name)
    kept = {what: getattr(series, what) for what in ("ids", "labels", "groups", "source")}
    return replace(found, notes=(*series.notes, *found.notes), **kept)
