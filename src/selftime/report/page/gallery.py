"""The gallery of views: the user's own series, and what each view makes of them."""

import inspect
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float

from selftime.data.batch import Batch
from selftime.data.scaling import fit_channels
from selftime.data.series import SeriesSet
from selftime.data.windows import batch_of
from selftime.report.page.charts import trace_path
from selftime.views.mild import View, copies

_FIRST_VIEW_EXAMPLES = 4
"""Series on which the first view is shown; the others are shown on the first of these."""
DRAWS = 8
"""Draws of each other view, of which the one that changes most is shown."""
MAX_GALLERY_CHANNELS = 3
"""Channels that are drawn, one above the other."""
_MAX_GALLERY_STEPS = 240
"""Steps in which a series is drawn."""


class ViewPanel(NamedTuple):
    """One series before and after a view.

    Attributes:
        id: of the series.
        lanes: for each channel the paths before and after.
    """

    id: str
    lanes: list[tuple[str, str]]


class ViewExample(NamedTuple):
    """A view and what it does.

    Attributes:
        name: as in the list of views.
        about: the first line of its description.
        panels: series under the view.
    """

    name: str
    about: str
    panels: list[ViewPanel]


def gallery(series: SeriesSet, views: Mapping[str, View]) -> list[ViewExample]:
    """Every view drawn on a few of the series, scaled as in learning."""
    chosen = series[np.unique(np.linspace(0, len(series) - 1, _FIRST_VIEW_EXAMPLES).astype(int))]
    before = fit_channels(series).apply(batch_of(chosen))
    return [
        _view_example(name, view, chosen.ids, before, first=k == 0)
        for k, (name, view) in enumerate(views.items())
    ]


def about_view(view: View) -> str:
    """What a view says of itself in its first line."""
    return (inspect.getdoc(view) or "").split("\n")[0].replace("``", "")


def _view_example(
    name: str, view: View, ids: np.ndarray, before: Batch, *, first: bool
) -> ViewExample:
    """The first view as it falls on every series; another one where it goes furthest on one."""
    rng = torch.Generator().manual_seed(0)
    one = Batch(before.values[:1], before.observed[:1])
    after = view(before, rng) if first else furthest_draw(one, copies(one, DRAWS, view, rng))
    old, new, T = with_gaps(before), with_gaps(after), before.lengths.tolist()
    panels = [
        ViewPanel(str(ids[i]), _before_after_paths(old[i, :, : T[i]], new[i, :, : T[i]]))
        for i in range(len(new))
    ]
    return ViewExample(name, about_view(view), panels)


def furthest_draw(one: Batch, drawn: Batch) -> Batch:
    """The one of several draws that lies furthest from the series, missing values taken as 0."""
    there = [batch.values.masked_fill(~batch.observed, 0.0) for batch in (one, drawn)]
    apart = (there[1] - there[0])[:, :MAX_GALLERY_CHANNELS].square().sum(dim=(1, 2))  # (B,)
    k = int(apart.argmax())
    return Batch(drawn.values[k : k + 1], drawn.observed[k : k + 1])


def with_gaps(batch: Batch) -> Float[np.ndarray, "B C T"]:
    """Values with NaN where nothing was observed."""
    return batch.values.masked_fill(~batch.observed, torch.nan).double().numpy()


def _before_after_paths(
    before: Float[np.ndarray, "C T"], after: Float[np.ndarray, "C T"]
) -> list[tuple[str, str]]:
    """Paths of the first channels before and after, each channel within one range."""
    return [
        (_path_in_range(old, old, new), _path_in_range(new, old, new))
        for old, new in zip(
            before[:MAX_GALLERY_CHANNELS], after[:MAX_GALLERY_CHANNELS], strict=True
        )
    ]


def _path_in_range(
    values: Float[np.ndarray, "T"], before: Float[np.ndarray, "T"], after: Float[np.ndarray, "T"]
) -> str:
    """The path of one channel, in a range that both sides of the comparison fit into."""
    both = np.concatenate([before, after])
    seen = both[np.isfinite(both)]
    low, high = (float(seen.min()), float(seen.max())) if len(seen) else (0.0, 0.0)
    return trace_path(
        0.5 + 0.92 * (values - (low + high) / 2) / ((high - low) or 1.0), _MAX_GALLERY_STEPS
    )
