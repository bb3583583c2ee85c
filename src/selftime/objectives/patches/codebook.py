"""Codebook: discrete names for patches, found by k-means on a sample."""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Generator, Tensor, nn

from selftime.data.batch import Batch
from selftime.objectives.patches.patches import Patches, patches_of
from selftime.settings import check_count
from selftime.views.draws import uniform

_MAX_PATCHES = 8192
"""Patches of the sample that the centres are fitted on."""
ROUNDS = 20
"""Of Lloyd's algorithm."""


class Codebook(nn.Module):
    """A patch is called by the nearest of ``codes`` centres (Lloyd 1982, vector quantisation).

    Patches are taken as they are, all channels together: series come scaled, and at what level a
    piece lies is part of what it says. Distances are squared differences over what was observed.
    Centres are a buffer: fitted once on a sample, not learned, and part of the state of a run.

    Attributes:
        channels: C, of the series.
        patch: steps of a patch.
        codes: how many centres; where a sample has fewer different patches, some are never used.

    Raises:
        ValueError: fewer than 2 codes.
    """

    centres: Tensor

    def __init__(self, *, channels: int, patch: int, codes: int) -> None:
        super().__init__()
        check_count("codes", codes, 2)
        self.channels, self.patch, self.codes = channels, patch, codes
        self.register_buffer("centres", torch.zeros(codes, channels * patch))

    @torch.no_grad()
    def fit(self, x: Batch, rng: Generator) -> None:
        """Centres of the patches of a sample in which something was observed.

        Args:
            x: the sample.
            rng: draws which patches are looked at, and the first centres.
        """
        cut = patches_of(x, self.patch)
        some = cut.observed.flatten(2).any(dim=2)  # (B,P)
        values, observed = cut.values[some].flatten(1), cut.observed[some].flatten(1)  # (M,E)
        if len(values) == 0:
            return
        first = uniform(len(values), rng=rng, like=values).argsort()[:_MAX_PATCHES]
        self.centres.copy_(k_means(values[first], observed[first], self.codes, rng))

    @torch.no_grad()
    def forward(self, cut: Patches) -> Int[Tensor, "B P"]:
        """The code (B,P) of each patch, 0 to ``codes`` − 1."""
        with torch.autocast(cut.values.device.type, enabled=False):
            values, observed = cut.values.flatten(0, 1).flatten(1), cut.observed.flatten(0, 1)
            code = patch_distances(values, observed.flatten(1), self.centres).argmin(dim=1)
        return code.view(cut.values.shape[:2])


def k_means(
    values: Float[Tensor, "M E"], observed: Bool[Tensor, "M E"], codes: int, rng: Generator
) -> Float[Tensor, "K E"]:
    """Centres (K,E): each in turn the mean of what was observed of the patches nearest to it.

    Args:
        values: (M,E) patches.
        observed: (M,E) True where a value was measured.
        codes: K.
        rng: draws the first centres.
    """
    filled, valid = values.where(observed, 0.0), observed.to(values.dtype)
    centres = first_centres(values, observed, codes, rng)
    for _ in range(ROUNDS):
        code = patch_distances(values, observed, centres).argmin(dim=1)
        member = F.one_hot(code, codes).to(values.dtype)  # (M,K)
        total, count = member.T @ filled, member.T @ valid  # (K,E)
        centres = torch.where(count > 0, total / count.clamp(min=1), centres)
    return centres


def first_centres(
    values: Float[Tensor, "M E"], observed: Bool[Tensor, "M E"], codes: int, rng: Generator
) -> Float[Tensor, "K E"]:
    """Patches drawn one by one, the likelier the farther they are from those drawn before.

    k-means++ (Arthur & Vassilvitskii 2007, section 2.2): likely as the squared distance. What is
    missing of a drawn patch is 0, the mean of scaled series.
    """
    draws = uniform(codes, rng=rng, like=values).double()
    chance = torch.ones(len(values), dtype=torch.float64, device=values.device)
    filled, centres = values.where(observed, 0.0), list[Tensor]()
    for draw in draws:
        bounds = chance.cumsum(dim=0)
        place = torch.searchsorted(bounds, draw * bounds[-1], right=True)
        centres.append(filled[place.clamp(max=len(values) - 1)])
        distance = patch_distances(values, observed, centres[-1][None])[:, 0].double()
        chance = distance if len(centres) == 1 else chance.minimum(distance)
    return torch.stack(centres)


def patch_distances(
    values: Float[Tensor, "M E"], observed: Bool[Tensor, "M E"], centres: Float[Tensor, "K E"]
) -> Float[Tensor, "M K"]:
    """Squared differences (M,K), summed over what was observed of each patch."""
    filled, valid = values.where(observed, 0.0), observed.to(values.dtype)
    own = (filled**2).sum(dim=1, keepdim=True)  # (M,1)
    return (own - 2 * filled @ centres.T + valid @ (centres**2).T).clamp(min=0)
