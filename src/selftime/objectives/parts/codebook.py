"""Words of patches: codes found by k-means on a sample, or the vocabulary of a text."""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Generator, Tensor, nn

from selftime.data.batch import Batch
from selftime.encoders.base import Encoder
from selftime.objectives.losses import masked_code_loss
from selftime.objectives.parts.content import PatchSymbols
from selftime.objectives.patches import Patches, patches_of
from selftime.settings import check_count
from selftime.views.draws import uniform

_MAX_PATCHES = 8192  # of the sample that the centres are fitted on
ROUNDS = 20  # of Lloyd's algorithm


class Codebook(nn.Module):
    """Words of patches of values: a few centres, of which the nearest is the word.

    The code of a patch is the nearest of ``codes`` centres (Lloyd 1982, vector quantisation).

    Patches are taken as they are, all channels together: series come scaled, and the mean of a
    piece is part of its content. Distances are squared differences over what was observed.
    Centres are a buffer: fitted once on a sample, not learned, and part of the state of a run.
    Where a sample has fewer different patches than codes, some codes are never used.
    """

    centres: Tensor

    def __init__(self, *, channels: int, patch: int, codes: int) -> None:
        super().__init__()
        check_count("codes", codes, 2)
        self.channels, self.patch, self.codes = channels, patch, codes
        self.register_buffer("centres", torch.zeros(codes, channels * patch))

    @torch.no_grad()
    def fit(self, x: Batch, rng: Generator) -> None:
        """Fit the centres on drawn patches of a sample in which something was observed."""
        cut = patches_of(x, self.patch)
        some = cut.observed.flatten(2).any(dim=2)  # (B,P)
        values, observed = cut.values[some].flatten(1), cut.observed[some].flatten(1)  # (M,E)
        if len(values) == 0:
            return
        first = uniform(len(values), rng=rng, like=values).argsort()[:_MAX_PATCHES]
        self.centres.copy_(k_means(values[first], observed[first], self.codes, rng))

    @property
    def width(self) -> int:
        """Numbers that say what the word of a patch is."""
        return self.codes

    def loss(
        self, said: Float[Tensor, "B P E"], cut: Patches, selected: Bool[Tensor, "B P"]
    ) -> Float[Tensor, ""]:
        """Mean cross entropy of the codes of the selected patches; 0 of none."""
        return masked_code_loss(said, self(cut), selected)

    def guesses(self, said: Float[Tensor, "B P K"]) -> Float[Tensor, "B P C L"]:
        """Return the centres of the likeliest codes."""
        found = self.centres[said.argmax(dim=2)]
        return found.view(*said.shape[:2], -1, self.patch)

    @torch.no_grad()
    def forward(self, cut: Patches) -> Int[Tensor, "B P"]:
        """Return the code (B,P) of each patch, 0 to ``codes`` − 1."""
        with torch.autocast(cut.values.device.type, enabled=False):
            values, observed = cut.values.flatten(0, 1).flatten(1), cut.observed.flatten(0, 1)
            code = patch_distances(values, observed.flatten(1), self.centres).argmin(dim=1)
        return code.view(cut.values.shape[:2])


class Vocabulary(nn.Module):
    """Words of patches of symbols: the vocabulary itself, each symbol of a patch by itself."""

    def __init__(self, *, symbols: int, patch: int) -> None:
        super().__init__()
        self.content = PatchSymbols(symbols=symbols, size=patch)

    @property
    def width(self) -> int:
        """Numbers that say which symbols a patch holds."""
        return self.content.width

    def fit(self, x: Batch, rng: Generator) -> None:
        """Nothing is fitted."""

    def loss(
        self, said: Float[Tensor, "B P E"], cut: Patches, selected: Bool[Tensor, "B P"]
    ) -> Float[Tensor, ""]:
        """Mean cross entropy of the observed symbols of the selected patches; 0 of none."""
        wanted = Patches(cut.values, cut.observed & selected[:, :, None, None])
        return self.content.loss(self.content.read(said), wanted)

    def guesses(self, said: Float[Tensor, "B P E"]) -> Float[Tensor, "B P 1 L"]:
        """Return the likeliest symbols."""
        return self.content.guesses(self.content.read(said))


def words_of(encoder: Encoder, *, patch: int, codes: int) -> Codebook | Vocabulary:
    """Return the words of patches, as an encoder reads them: its symbols, or so many codes."""
    if encoder.symbols is not None:
        return Vocabulary(symbols=encoder.symbols, patch=patch)
    return Codebook(channels=encoder.channels, patch=patch, codes=codes)


def k_means(
    values: Float[Tensor, "M E"], observed: Bool[Tensor, "M E"], codes: int, rng: Generator
) -> Float[Tensor, "K E"]:
    """Return centres (K,E), each the mean of the observed values of the patches nearest to it."""
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
    """Draw patches, likely as their squared distance from those before (k-means++, gaps as 0)."""
    # Arthur & Vassilvitskii 2007, section 2.2; 0 is the mean of scaled series.
    draws = uniform(codes, rng=rng, like=values).double()
    probability = torch.ones(len(values), dtype=torch.float64, device=values.device)
    filled, centres = values.where(observed, 0.0), list[Tensor]()
    for draw in draws:
        bounds = probability.cumsum(dim=0)
        place = torch.searchsorted(bounds, draw * bounds[-1], right=True)
        centres.append(filled[place.clamp(max=len(values) - 1)])
        distance = patch_distances(values, observed, centres[-1][None])[:, 0].double()
        probability = distance if len(centres) == 1 else probability.minimum(distance)
    return torch.stack(centres)


def patch_distances(
    values: Float[Tensor, "M E"], observed: Bool[Tensor, "M E"], centres: Float[Tensor, "K E"]
) -> Float[Tensor, "M K"]:
    """Return squared differences (M,K), summed over what was observed of each patch."""
    filled, valid = values.where(observed, 0.0), observed.to(values.dtype)
    own = (filled**2).sum(dim=1, keepdim=True)  # (M,1)
    return (own - 2 * filled @ centres.T + valid @ (centres**2).T).clamp(min=0)
