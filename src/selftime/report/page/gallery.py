"""The gallery of views: the user's own series before and after each view."""

import inspect
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float

from selftime.data import scaling
from selftime.data.batch import Batch
from selftime.data.scaling import Scale
from selftime.data.series import SeriesSet
from selftime.data.windows import batch_of
from selftime.report.page.charts import trace_path
from selftime.report.page.sights import Sight, sight_of
from selftime.report.pictures.signals import Ranges, is_curve, ranges_of
from selftime.views.mild import View, copies

_FIRST_VIEW_EXAMPLES = 4
"""Series on which the first view is shown; the others are shown on the first of these."""
DRAWS = 8
"""Draws of each other view; the one that changes most is shown."""
MAX_GALLERY_CHANNELS = 3
"""Channels that are drawn, one above the other."""
_MAX_GALLERY_STEPS = 240
"""Steps in which a series is drawn."""
_MAX_GALLERY_PIXELS, _MAX_GALLERY_SYMBOLS = 6000, 110
"""Pixels and symbols of a series that are shown."""


class ViewPanel(NamedTuple):
    """One series before and after a view."""

    id: str  # of the series
    lanes: list[tuple[str, str]]  # of curves: for each channel the paths before and after
    pair: tuple[Sight, ...] = ()  # of other kinds: the series before and after


class ViewExample(NamedTuple):
    """A view with examples."""

    name: str  # as in the list of views
    about: str  # the first line of its description
    panels: list[ViewPanel]  # series under the view


def gallery(series: SeriesSet, views: Mapping[str, View]) -> list[ViewExample]:
    """Draw every view on a few of the series, scaled as in learning."""
    few = series[np.unique(np.linspace(0, len(series) - 1, _FIRST_VIEW_EXAMPLES).astype(int))]
    scale = scaling.fit(series)
    measured = batch_of(scale.measure(few))
    before, units = scale.apply(measured), scale.scale_of(measured)
    drawn = _Sights(few, ranges_of(series), units) if not is_curve(series.kind) else None
    return [
        _view_example(name, view, few.ids, before, drawn, first=k == 0)
        for k, (name, view) in enumerate(views.items())
    ]


def _view_example(  # noqa: PLR0913 - each is a part of what is shown
    name: str, view: View, ids: np.ndarray, before: Batch, drawn: "_Sights | None", *, first: bool
) -> ViewExample:
    """Draw the first view on every series, another one where it changes the first series most."""
    rng = torch.Generator().manual_seed(0)
    one = Batch(before.values[:1], before.observed[:1])
    after = view(before, rng) if first else furthest_draw(one, copies(one, DRAWS, view, rng))
    about = (inspect.getdoc(view) or "").split("\n")[0].replace("``", "")
    if drawn:
        pairs = drawn.pairs(before, after)
        return ViewExample(name, about, [ViewPanel(str(ids[i]), [], p) for i, p in pairs])
    old, new, T = with_gaps(before), with_gaps(after), before.lengths.tolist()
    panels = [
        ViewPanel(str(ids[i]), _before_after_paths(old[i, :, : T[i]], new[i, :, : T[i]]))
        for i in range(len(new))
    ]
    return ViewExample(name, about, panels)


class _Sights(NamedTuple):
    """Draws series that are no curves before and after a view, in the units of the data."""

    series: SeriesSet
    ranges: Ranges
    units: Scale

    def pairs(self, before: Batch, after: Batch) -> Iterator[tuple[int, tuple[Sight, Sight]]]:
        """Yield the number of each series, and what is seen of it before and after."""
        T = before.lengths.tolist()
        old, new = (with_gaps(self.units.invert(batch)) for batch in (before, after))
        for i in range(len(new)):
            yield i, (self.sight(i, old[i, :, : T[i]]), self.sight(i, new[i, :, : T[i]]))

    def sight(self, i: int, values: Float[np.ndarray, "C T"]) -> Sight:
        """Show one of them."""
        bounds = {"pixels": _MAX_GALLERY_PIXELS, "symbols": _MAX_GALLERY_SYMBOLS}
        name = str(self.series.ids[i])
        return sight_of(values, self.series.kind, self.ranges, name=name, **bounds)


def furthest_draw(one: Batch, drawn: Batch) -> Batch:
    """Select the draw that lies furthest from the series, missing values taken as 0."""
    before, after = (batch.values.masked_fill(~batch.observed, 0.0) for batch in (one, drawn))
    apart = (after - before)[:, :MAX_GALLERY_CHANNELS].square().sum(dim=(1, 2))  # (B,)
    k = int(apart.argmax())
    return Batch(drawn.values[k : k + 1], drawn.observed[k : k + 1])


def with_gaps(batch: Batch) -> Float[np.ndarray, "B C T"]:
    """Return values with NaN where nothing was observed."""
    return batch.values.masked_fill(~batch.observed, torch.nan).double().numpy()


def _before_after_paths(
    before: Float[np.ndarray, "C T"], after: Float[np.ndarray, "C T"]
) -> list[tuple[str, str]]:
    """Return paths of the first channels before and after, each channel within one range."""
    lanes = []
    for old, new in zip(before[:MAX_GALLERY_CHANNELS], after[:MAX_GALLERY_CHANNELS], strict=True):
        both = np.concatenate([old, new])
        seen = both[np.isfinite(both)]
        low, high = (float(seen.min()), float(seen.max())) if len(seen) else (0.0, 0.0)
        middle, span = (low + high) / 2, (high - low) or 1.0
        heights = (0.5 + 0.92 * (values - middle) / span for values in (old, new))
        first, second = (trace_path(height, _MAX_GALLERY_STEPS) for height in heights)
        lanes.append((first, second))
    return lanes
