"""Criteria that rank embeddings by how good they are likely to be, without a single label.

They are for ranking models of different methods on the same series, which a monitor of one run
cannot do: RankMe, for one, is comparable within one method only (Garrido et al. 2023, section 5).
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Generator, Tensor

from selftime.data.batch import Batch
from selftime.encoders.base import Encoder
from selftime.engine.monitoring.monitors import effective_rank
from selftime.objectives.spectral import eigh
from selftime.shapes import Embedding
from selftime.views.mild import Mild, View, copies
from selftime.views.pairs import crop

_N_VIEWS = 8
"""Views of each series."""
_Views = Float[Tensor, "B V D"]
"""Vectors of length 1 of several views of each series."""


class EmbeddedViews(NamedTuple):
    """Unit vectors (B,V,D) of views of each series, and (B,D) of its first and second half."""

    views: _Views
    first: Embedding
    second: Embedding


@torch.no_grad()
def embed_views(
    encoder: Encoder,
    x: Batch,
    rng: Generator,
    *,
    view: View = Mild(),  # noqa: B008
) -> EmbeddedViews:
    """Embed views and halves of some series; 64 to 256 of them are enough."""
    z = F.normalize(encoder.embed(copies(x, _N_VIEWS, view, rng)), dim=1)
    lengths = x.lengths.clamp(min=1)
    middle = lengths // 2
    first = encoder.embed(crop(x, middle * 0, (lengths + 1) // 2))
    second = encoder.embed(crop(x, middle, lengths - middle))
    parts = (F.normalize(part, dim=1) for part in (first, second))
    return EmbeddedViews(z.view(len(lengths), _N_VIEWS, -1), *parts)


def mean_reciprocal_rank(one: Embedding, other: Embedding) -> float:
    """Return the mean reciprocal rank of the own other view, by cosine: 0 to 1.

    It ranks among all series' other views. Its simpler relative, the share of rank 1, chooses the
    strength of the closed-form method.
    """
    similarity = one @ other.T  # (B,B)
    own = similarity.diagonal()[:, None]
    above = (similarity > own).sum(dim=1)
    ties = (similarity == own).sum(dim=1) - 1  # all the same: in the middle, not first
    return float((1 / (1 + above + ties / 2)).mean())


def lidar(seen: EmbeddedViews) -> float:
    """Return the rank of the differences of series, in units of the differences of views.

    LiDAR (Thilak et al. 2023, equations 1 to 3): the effective rank of
    Σ_w^(−1/2) Σ_b Σ_w^(−1/2), with Σ_b the covariance of the series' means, Σ_w that within
    series and δ = 10⁻⁴ times its mean eigenvalue added to it. Both are taken in the space that
    the views span, which may be far smaller than D.
    """
    z = span_coordinates(seen.views.double())
    centre = z.mean(dim=1)  # (B,D)
    middle = centre - centre.mean(dim=0)
    between = middle.T @ middle / len(middle)
    apart = (z - centre[:, None]).flatten(0, 1)
    within = apart.T @ apart / len(apart)
    e, Q = eigh(within)
    e = e.clamp(min=0)
    white = Q / (e + 1e-4 * e.mean() + 1e-12).sqrt()
    found = torch.linalg.eigvalsh(white.T @ between @ white).clamp(min=0)
    share = found / found.sum().clamp(min=1e-12) + 1e-12
    return float((-share * share.log()).sum().exp())


def span_coordinates(z: _Views) -> Float[Tensor, "B V r"]:
    """Return vectors by their coordinates in the space they span, r at most B·V and D."""
    if z.shape[2] <= z.shape[0] * z.shape[1]:
        return z
    U, S, _ = torch.linalg.svd(z.flatten(0, 1), full_matrices=False)
    found: Tensor = (U * S).view(*z.shape[:2], -1)
    return found


def separation(seen: EmbeddedViews) -> float:
    """Return the share of the variance between series, not between views of one: 0 to 1."""
    z = seen.views.double()
    centre = z.mean(dim=1)
    between = (centre - centre.mean(dim=0)).square().sum(dim=1).mean()
    within = (z - centre[:, None]).square().sum(dim=2).mean()
    return float(between / (between + within).clamp(min=1e-12))


CRITERIA: dict[str, Callable[[EmbeddedViews], float]] = {
    "views": lambda seen: mean_reciprocal_rank(seen.views[:, 0], seen.views[:, 1]),
    "halves": lambda seen: mean_reciprocal_rank(seen.first, seen.second),
    "separation": separation,
    "lidar": lidar,
    "rank": lambda seen: effective_rank(seen.views[:, 0]),
}
"""Criteria by name; more is better in each. "views" and "halves" find a series again in another
view or half of it; "rank" is RankMe (Garrido et al. 2023, equation 1) of one view."""
