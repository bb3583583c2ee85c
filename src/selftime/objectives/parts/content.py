"""Contents of patches, and costs of guesses at them: values, or symbols of a vocabulary."""

from dataclasses import dataclass

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from selftime.encoders.base import Encoder
from selftime.encoders.networks.embedders import symbols_in
from selftime.objectives.losses import mean_where, squared_error
from selftime.objectives.patches import Patches

_VARIANCE_EPS = 1e-6
"""Added to the variance of a patch: that of the authors of He et al. 2022."""


@dataclass(frozen=True, kw_only=True)
class PatchValues:
    """Values (C,L) of a patch of L steps; a guess at them costs its squared error.

    Attributes:
        channels: C.
        size: L.
        normalised: whether wanted are values at mean 0 and standard deviation 1 of their patch,
            all channels together (He et al. 2022, section 3, "reconstruction target").
    """

    channels: int
    size: int
    normalised: bool = False

    @property
    def width(self) -> int:
        """Numbers that say what is in a patch."""
        return self.channels * self.size

    def read(self, said: Float[Tensor, "B P E"]) -> Float[Tensor, "B P C L"]:
        """Return what so many numbers say: values."""
        return said.reshape(*said.shape[:2], self.channels, self.size)

    def guesses(self, read: Float[Tensor, "B P C L"]) -> Float[Tensor, "B P C L"]:
        """Return the likeliest values."""
        return read

    def loss(self, read: Float[Tensor, "B P C L"], wanted: Patches) -> Float[Tensor, ""]:
        """Mean squared error over what was observed of the wanted patches; 0 of nothing."""
        return squared_error(read, *(standard_patches(wanted) if self.normalised else wanted))


@dataclass(frozen=True, kw_only=True)
class PatchSymbols:
    """Symbols (1,L) of a patch of L steps; a guess costs the cross entropy of each.

    Attributes:
        symbols: V, of the vocabulary.
        size: L.
    """

    symbols: int
    size: int

    @property
    def width(self) -> int:
        """Numbers that say what is in a patch: one for every symbol that a step may be."""
        return self.symbols * self.size

    def read(self, said: Float[Tensor, "B P E"]) -> Float[Tensor, "B P L V"]:
        """Return what so many numbers say: logits of the symbols of each step."""
        return said.reshape(*said.shape[:2], self.size, self.symbols)

    def guesses(self, read: Float[Tensor, "B P L V"]) -> Float[Tensor, "B P 1 L"]:
        """Return the likeliest symbols."""
        return read.argmax(dim=3)[:, :, None].to(read.dtype)

    def loss(self, read: Float[Tensor, "B P L V"], wanted: Patches) -> Float[Tensor, ""]:
        """Mean cross entropy over the observed symbols of the wanted patches; 0 of nothing."""
        symbols = symbols_in(wanted.values[:, :, 0], self.symbols)  # (B,P,L)
        each = F.cross_entropy(read.flatten(0, 2), symbols.flatten(), reduction="none")
        return mean_where(each.view(symbols.shape), wanted.observed[:, :, 0])


PatchContent = PatchValues | PatchSymbols
"""What the patches of series hold."""


def content_of(encoder: Encoder, size: int, *, normalised: bool = False) -> PatchContent:
    """Return what patches of ``size`` steps hold, as the encoder reads them.

    Raises:
        ValueError: symbols that are to be normalised.
    """
    if encoder.symbols is None:
        return PatchValues(channels=encoder.channels, size=size, normalised=normalised)
    if normalised:
        raise ValueError(
            "got normalise=True for symbols, which have no mean and no deviation: leave it out"
        )
    return PatchSymbols(symbols=encoder.symbols, size=size)


def standard_patches(cut: Patches) -> Patches:
    """Return patches at mean 0 and standard deviation 1 of what was observed in each."""
    values, count = cut.values.where(cut.observed, 0.0), cut.observed.sum(dim=(2, 3), keepdim=True)
    mean = values.sum(dim=(2, 3), keepdim=True) / count.clamp(min=1)
    centred = (values - mean).where(cut.observed, 0.0)
    variance = centred.square().sum(dim=(2, 3), keepdim=True) / count.clamp(min=1)
    return Patches(centred / (variance + _VARIANCE_EPS).sqrt(), cut.observed)
