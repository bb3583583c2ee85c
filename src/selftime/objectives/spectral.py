"""Spectral: features that identify a series are kept, those that augmentation moves scaled away."""

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Float64
from torch import Generator, Tensor

from selftime.data.batch import Batch
from selftime.encoders.base import Encoder, Joined
from selftime.encoders.wrappers.projected import Projected, UnitLength, embed_in_parts
from selftime.objectives.base import ClosedForm, Moments
from selftime.shapes import Embedding
from selftime.views.mild import Mild, View, copies


def eigh(matrix: Float64[Tensor, "d d"]) -> tuple[Float64[Tensor, "d"], Float64[Tensor, "d d"]]:
    """Return eigenvalues in ascending order, and eigenvectors as columns."""
    # Of entries near 1: the solver gives up on some matrices of entries near 1e-13. And on one
    # thread: LAPACK's reduction to tridiagonal form synchronises its threads at every column. On
    # two cores 1440 × 1440 takes 0.4 s with one thread and 0.2 s with two, but 0.9 s and 1.6 to
    # 2.5 s where another program computes too.
    exponent = torch.frexp(matrix.abs().max())[1]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        e, Q = torch.linalg.eigh(torch.ldexp(matrix, -exponent))
    finally:
        torch.set_num_threads(threads)
    return torch.ldexp(e, exponent), Q


class Spectral(ClosedForm):
    """Whiten the features of an encoder against their variance under augmentation.

    The linear case of contrastive and of VICReg-type learning, whose optimum is known in
    closed form (Balestriero & LeCun 2022, theorems 1 and 3; Cabannes et al. 2023): with S_w the
    covariance of features *within* the augmented copies of a series and S_w = Q diag(e) Qᵀ,

        embedding(x) = Qᵀ P (φ(x) − mean) / sqrt(e + λ · mean(e)),

    scaled to length 1. P is the principal basis of a sample of copies, so that no F × F matrix
    is ever formed; S_w is that of other copies, as the first would tell too much of themselves.
    Features that augmentation leaves alone by their nature, such as quantiles, gain nothing from
    this; they stand beside the learned part as they are, or by their principal axes where they are
    more than a quarter of an embedding. Of the learned part as many directions are kept as there
    is room for, those in which series differ most once they are whitened.

    Of many series the nearest are often alike in what matters. So from :data:`NEAR_FROM` series of
    the sample on, those that are among the nearest of each other in what was learned from copies
    (nearest neighbours as positives, Dwibedi et al. 2021) are copies too: S_w becomes a mixture of
    both covariances, scaled to the same trace, and all is solved once more. Near series weigh
    more the more there are (:func:`near_weight`). They tell of what stands beside too, which is
    whitened in the same way.

    Attributes:
        encoder: φ, makes the features; not trained.
        beside: an encoder whose vectors are added as they are, with :data:`_BESIDE_SHARE`; or None.
        view: changes that leave a series the same one.
        penalty: λ; the larger, the closer to plain principal components.
        copies: augmented copies of each series, beside those that fix the basis.
        dim: most numbers of an embedding.
    """

    suits = "few labels, a CPU, seconds to spare: the first choice"

    def __init__(
        self,
        *,
        encoder: Encoder,
        beside: Encoder | None = None,
        view: View = Mild(strength=0.5),  # noqa: B008
        penalty: float = 0.1,
        copies: int = 10,
        dim: int = 1024,
    ) -> None:
        self.encoder, self.beside, self.view = encoder, beside, view
        self.penalty, self.copies, self.dim = penalty, copies, dim

    @property
    def room(self) -> int:
        """Most numbers of an embedding for what stands beside: a quarter, 1 at least."""
        return max(self.dim // 4, 1)

    @property
    def taken(self) -> int:
        """Numbers of an embedding that stand beside the learned part, once that is prepared."""
        width = self.beside.dim if self.beside else 0
        return width if self.axes is None else self.axes.shape[1]

    def prepare(self, sample: Batch, rng: Generator) -> None:
        """Prepare the encoders; fix the centre and the basis from copies of a sample."""
        self.encoder.prepare(sample, rng)
        if self.beside:
            self.beside.prepare(sample, rng)
        n = basis_copies(self.dim, len(sample.values), self.copies)
        features, beside = self.encode(sample, n, rng)
        self.centre = features.mean(dim=0)
        self.basis = principal_basis(features.sub_(self.centre), self.dim)
        self.axes = None if beside is None else leading_axes(beside, self.room)
        self.pool = self.project(sample) if near_weight(len(sample.values)) else None

    def project(self, sample: Batch) -> tuple[Tensor, Tensor]:
        """Return the series of a sample in the basis (B,d), and what stands beside (B,D)."""
        p = (embed_in_parts(self.encoder, sample) - self.centre) @ self.basis
        if self.beside is None:
            return p, p[:, :0]
        beside = embed_in_parts(self.beside, sample)
        return p, beside if self.axes is None else beside @ self.axes

    def encode(self, sample: Batch, n: int, rng: Generator) -> tuple[Tensor, Tensor | None]:
        """Return features (B·n,F) of n copies of each series, and of what stands beside."""
        parts = []
        size = max(_VALUES // (n * sample.values[0].numel()), 1)
        for part in zip(*(torch.split(whole, size) for whole in sample), strict=True):
            seen = copies(Batch(*part), n, self.view, rng)
            parts.append(
                [encoder.embed(seen) for encoder in (self.encoder, self.beside) if encoder]
            )
        features, *beside = [torch.cat(part) for part in zip(*parts, strict=True)]
        return features, beside[0] if beside else None

    def accumulate(self, batch: Batch, rng: Generator) -> Moments:
        """Make copies and return the sums of their features."""
        return moments_of(self.features(batch, self.copies, rng) @ self.basis, self.copies)

    def solve(self, moments: Moments) -> Encoder:
        """Whiten against copies, and against near series of many; solve one eigenproblem."""
        within, axes = covariance_within(moments), self.axes
        if self.pool:
            p, known = self.pool
            vectors = F.normalize(p @ whitener(within, self.penalty).float(), dim=1)
            near = near_pairs(torch.cat([vectors, _BESIDE_SHARE**0.5 * known], dim=1))
            within = with_near(within, p, near)
            axes = self.white_axes(known, near) if self.beside else None
        learned = self.basis @ self.directions(within, moments).float()
        unit = UnitLength(encoder=Projected.of(self.encoder, self.centre, learned))
        if self.beside is None:
            return unit
        zero = torch.zeros(self.beside.dim)
        beside = self.beside if axes is None else Projected.of(self.beside, zero, axes)
        return Joined(encoders=[unit, beside], weights=[1.0, _BESIDE_SHARE**0.5])

    def white_axes(
        self, known: Float[Tensor, "n k"], near: Float64[Tensor, "n n"]
    ) -> Float[Tensor, "D k"]:
        """Return a map of what stands beside that whitens it against near pairs of a sample.

        Copies leave it alone, so to them all its directions are alike. Where axes are kept of it,
        they are whitened as parts of the whole, of whose variance each direction has its share.
        """
        assert self.beside is not None
        width, weight, unit = self.beside.dim, near_weight(len(known)), torch.eye(known.shape[1])
        within = unit.double() / width + weight * of_trace_one(near_covariance(known, near))
        white = inverse_root(within, self.penalty * (1 + weight) / width).float()
        size = (known @ white).square().sum(dim=1).mean().clamp(min=_TINY).sqrt()
        return white / size if self.axes is None else self.axes @ white / size

    def directions(
        self, within: Float64[Tensor, "d d"], moments: Moments
    ) -> Float64[Tensor, "d k"]:
        """Return whitened directions, those in which copies differ least first.

        Where what stands beside leaves no room for all of them, those in which series differ most
        once they are whitened, the first ones.
        """
        if not self.beside or len(within) <= (width := self.dim - self.taken):
            e, Q = eigh(within)
            return Q / whitening(e, self.penalty)
        white = whitener(within, self.penalty)
        axes = eigh(white.T @ covariance_of_all(moments) @ white)[1]
        return white @ axes.flip(1)[:, :width]

    def features(self, x: Batch, n: int, rng: Generator) -> Embedding:
        """Return centred features (B·n,F) of n copies of each series, series by series."""
        return self.encoder.embed(copies(x, n, self.view, rng)) - self.centre


def basis_copies(dim: int, sample: int, copies: int) -> int:
    """Return the copies of each of so many series that fix a basis of ``dim`` directions."""
    return min(max(round(dim / sample), 1), copies)


_VALUES = 2**23
"""Of copies that are made at a time, so that wide and long ones fit in memory."""


def moments_of(p: Embedding, n: int) -> Moments:
    """Return the sums of n copies of each series (B·n,d), series by series."""
    p = p.double()
    groups = p.view(-1, n, p.shape[1])  # (B,n,d)
    apart = (groups - groups.mean(dim=1, keepdim=True)).flatten(0, 1)
    return Moments(len(groups), len(p), p.sum(dim=0), p.T @ p, apart.T @ apart)


def leading_axes(vectors: Embedding, width: int) -> Tensor | None:
    """Return the principal basis (D,k) of vectors wider than ``width``; None of others.

    Vectors are not centred, so that their products and lengths are kept, as neighbours need them.
    """
    if vectors.shape[1] <= width:
        return None
    return principal_basis(vectors[:: max(len(vectors) // (2 * width), 1)], width)


_BESIDE_SHARE = 0.3
"""Mean squared length of what stands beside the learned part, whose own is 1."""
_TINY = 1e-12
"""Below this a variance is rounding error: features here have mean squared length 1."""


def covariance_within(moments: Moments) -> Float64[Tensor, "d d"]:
    """Return the covariance of features within the copies of a series."""
    return moments.within / max(moments.copies - moments.series, 1)


NEAR_FROM, NEAR_FULL = 200, 1000
"""Series of a sample from which on near ones are copies too, and from which on they weigh most."""
_NEAR_WEIGHT, _NEAREST = 3.0, 5
"""Most that near series weigh beside copies, and how many of each may be near."""


def near_weight(series: int) -> float:
    """Return what near ones of so many series weigh beside copies, whose weight is 1.

    Few series have no near ones that are of the same kind; what the weight does to open data is in
    `benchmarks/README.md`, unlabelled pools.
    """
    share = (series - NEAR_FROM) / (NEAR_FULL - NEAR_FROM)
    return _NEAR_WEIGHT * min(max(share, 0.0), 1.0)


def with_near(
    within: Float64[Tensor, "d d"], p: Float[Tensor, "n d"], near: Float64[Tensor, "n n"]
) -> Float64[Tensor, "d d"]:
    """Return a covariance within copies, mixed with that within near pairs of a sample."""
    return of_trace_one(within) + near_weight(len(p)) * of_trace_one(near_covariance(p, near))


def near_pairs(vectors: Float[Tensor, "n D"]) -> Float64[Tensor, "n n"]:
    """Return 1 for series each among the :data:`_NEAREST` nearest of the other by cosine."""
    unit = F.normalize(vectors, dim=1)
    cosines = (unit @ unit.T).fill_diagonal_(-torch.inf)
    nearest = cosines.topk(min(_NEAREST, len(vectors) - 1), dim=1).indices
    near = torch.zeros_like(cosines).scatter_(1, nearest, 1.0)
    return (near * near.T).double()


def near_covariance(
    p: Float[Tensor, "n d"], near: Float64[Tensor, "n n"]
) -> Float64[Tensor, "d d"]:
    """Return the covariance of features within pairs of series that are near each other."""
    q, pairs = p.double(), near.sum(dim=1)
    return q.T @ (pairs[:, None] * q - near @ q) / pairs.sum().clamp(min=1)


def of_trace_one(covariance: Float64[Tensor, "d d"]) -> Float64[Tensor, "d d"]:
    """Return a covariance in units of its trace; one of nothing stays 0."""
    return covariance / covariance.trace().clamp(min=_TINY)


def covariance_of_all(moments: Moments) -> Float64[Tensor, "d d"]:
    """Return the covariance of features over all copies."""
    mean = moments.total / moments.copies
    return moments.outer / moments.copies - torch.outer(mean, mean)


def whitening(e: Float64[Tensor, "d"], penalty: float) -> Float64[Tensor, "d"]:
    """Divisors sqrt(e + λ · mean(e)) of directions that have variance e under augmentation."""
    return (e.clamp(min=0) + penalty * e.mean()).clamp(min=_TINY).sqrt()


def whitener(covariance: Float64[Tensor, "d d"], penalty: float) -> Float64[Tensor, "d d"]:
    """Return W with W Wᵀ = (S + λ · mean(e) · 1)⁻¹ for a covariance S of eigenvalues e.

    Features times W are those along its eigenvectors by :func:`whitening`, turned: lengths and
    cosines are the same.
    """
    return inverse_root(covariance, penalty * float(covariance.trace()) / len(covariance))


def inverse_root(covariance: Float64[Tensor, "d d"], added: float) -> Float64[Tensor, "d d"]:
    """Return W with W Wᵀ = (S + a · 1)⁻¹, by Cholesky: a twentieth of the time of eigenvectors."""
    unit = torch.eye(len(covariance), dtype=covariance.dtype)
    factor = torch.linalg.cholesky(covariance + max(added, _TINY) * unit)
    inverse: Tensor = torch.linalg.solve_triangular(factor, unit, upper=False)
    return inverse.T


def principal_basis(features: Tensor, dim: int) -> Tensor:
    """Return orthonormal columns (F,d) that carry most of the features (M,F); d <= dim, M."""
    # From the M × M Gram matrix where F is larger (method of snapshots, Sirovich 1987).
    wide = features.shape[1] > features.shape[0]
    e, U = eigh((features @ features.T if wide else features.T @ features).double())
    e, U = e.flip(0)[:dim], U.flip(1)[:, :dim]
    d = max(int((e > 1e-6 * e[:1].clamp(min=_TINY)).sum()), 1)  # 1 where nothing moves at all
    e, U = e[:d].clamp(min=_TINY), U[:, :d]
    basis: Tensor = features.T @ (U / e.sqrt()).float() if wide else U.float()
    return basis


WEAK, MEDIUM, STRONG = 0.25, 0.5, 1.0
PENALTY_GRID = (0.1, 0.3, 0.03)
MIN_RETRIEVAL = 0.95
"""Share of series that must be found again for a strength to be safe."""
TRIAL_SERIES = 64
"""Series to be found again: a fixed number, so that the share means the same on all data."""


_TRIAL_COPIES, _TRIAL_DIM = 8, 512
"""Copies of each series, and directions, of a trial."""


def trial_copies(series: int) -> int:
    """Return how many copies of so many series a trial encodes, the series themselves too."""
    basis = basis_copies(_TRIAL_DIM, series, _TRIAL_COPIES)
    return series * (1 + basis + _TRIAL_COPIES + 2)


class Trial(NamedTuple):
    """A setting, and the share of series that are found again under it."""

    found: float
    strength: float
    penalty: float


def mild_at(strength: float) -> View:
    """Return the usual view of measurements at a strength."""
    return Mild(strength=strength)


Views = Callable[[float], View]
"""Returns a view at a strength."""


def choose_strength(
    encoder: Encoder, sample: Batch, rng: Generator, view_at: Views = mild_at
) -> Trial:
    """Choose the strongest of three augmentations under which series are still found again.

    At the medium strength, and if that is safe at the strong one, an encoder is learned from views
    of the sample (:data:`TRIAL_SERIES` drawn series, or all) and tried on two new views of each: is
    the other view of the same series the nearest of all? Where augmentation moves series onto each
    other it teaches the encoder to ignore what distinguishes them. The penalty finds the
    most. Where medium is not safe, the answer is the weak one with what the medium one found.
    """
    medium = best_trial(encoder, sample, MEDIUM, rng, view_at)
    if medium.found < MIN_RETRIEVAL:
        return Trial(medium.found, WEAK, PENALTY_GRID[0])
    strong = best_trial(encoder, sample, STRONG, rng, view_at)
    return strong if strong.found >= MIN_RETRIEVAL else medium


def best_trial(
    encoder: Encoder, sample: Batch, strength: float, rng: Generator, view_at: Views = mild_at
) -> Trial:
    """Return the trial with the penalty that finds most; the first of them where several do."""
    tried = trials(encoder, sample, strength, rng, view_at)
    return max(tried, key=lambda trial: trial.found)


def trials(
    encoder: Encoder, sample: Batch, strength: float, rng: Generator, view_at: Views = mild_at
) -> list[Trial]:
    """Measure the share of series found again at one strength, for each penalty."""
    objective = Spectral(
        encoder=encoder, view=view_at(strength), copies=_TRIAL_COPIES, dim=_TRIAL_DIM
    )
    objective.prepare(sample, rng)
    moments = objective.accumulate(sample, rng)
    pairs = objective.features(sample, 2, rng)  # (2B,F), two new views of each series
    within = covariance_within(moments)
    results = []
    for penalty in PENALTY_GRID:
        directions = objective.basis @ whitener(within, penalty).float()
        vectors = F.normalize(pairs @ directions, dim=1)
        found = retrieval_accuracy(vectors[0::2], vectors[1::2])
        results.append(Trial(found, strength, penalty))
    return results


def retrieval_accuracy(one: Embedding, other: Embedding) -> float:
    """Share of series whose nearest neighbour among the other views is their own (cosine)."""
    nearest = (one @ other.T).argmax(dim=1)
    return float((nearest == nearest.new_tensor(range(len(one)))).double().mean())
