"""NextStep: at every step, the next ones are predicted from the past."""

import torch.nn.functional as F
from torch import Generator

from selftime.data.batch import Batch
from selftime.door import option
from selftime.encoders.base import Encoder
from selftime.objectives.base import Objective, Recipe, Step
from selftime.objectives.distributed import distribute
from selftime.objectives.parts.heads import PatchHead
from selftime.objectives.patches import Patches
from selftime.settings import check_count
from selftime.views.mild import View
from selftime.views.pairs import RandomCrop


class NextStep(Objective):
    """Autoregressive prediction at every position (Chung et al. 2019, section 2).

    Token n of a causal encoder knows the steps up to the end of its stride, and a linear map of it
    predicts the ``frame`` steps after that, in all channels. The paper predicts a frame of speech
    some frames ahead, with absolute errors; here it is all steps of the next frame, with squared
    ones. How far ahead to look matters: the next step alone is often its neighbour's copy.

    Attributes:
        encoder: what is learned; causal, with tokens along time. Where tokens are of patches,
            these must not overlap, else a token would have seen what it is to predict.
        frame: steps ahead that are predicted.
        change: predicted is how the next steps differ from the last one of a token, so that nothing
            is asked of it where nothing moves: for films, whose frames are nearly the same.
        view: what is seen of the series, and predicted of it; crops begin at random moments.
        seed: draws the weights of the linear map.

    Raises:
        ValueError: an encoder that sees what is to come, no step to predict, or changes of symbols.
    """

    family = "pretext"
    suits = "one vector per step from the past alone: forecasting, detection while data comes in"
    recipe = Recipe(batch_size=32, rate=1e-3, weight_decay=1e-4)

    def __init__(
        self,
        *,
        encoder: Encoder,
        frame: int = 8,
        change: bool = False,
        view: View = RandomCrop(least=0.5),  # noqa: B008
        seed: int = 0,
    ) -> None:
        super().__init__()
        check_count("frame", frame, 1)
        check_causal_tokens(encoder)
        if change and encoder.symbols is not None:
            raise ValueError(
                "got change=True for symbols, between which nothing lies: leave it out"
            )
        self.encoder, self.frame, self.change = encoder, frame, change
        self.view, self.seed = view, seed
        self.head = PatchHead(encoder, frame, seed=seed)

    def forward(self, batch: Batch, rng: Generator) -> Step:
        """Crop, encode, predict what follows each token."""
        x = self.view(batch, rng)
        tokens = distribute(self.encoder, x)  # (B,N,D)
        wanted = self.wanted(x)
        return Step(self.head.loss(tokens, wanted), {}, self.encoder.pool(tokens, x).detach())

    def wanted(self, x: Batch) -> Patches:
        """Return what the head is to say of each token (B,N,C,L)."""
        stride = self.encoder.stride or 1
        ahead = frames_after(x, stride, self.frame)
        if not self.change:
            return ahead
        values, observed = last_steps(x, stride)
        return Patches(ahead.values - values, ahead.observed & observed)


def frames_after(x: Batch, stride: int, size: int) -> Patches:
    """Return ``size`` steps (B,N,C,L) from (n + 1) · stride for token n; unobserved at the end."""
    T = x.values.shape[2]
    more = -T % stride + size  # the last token ends with the series, filled up to whole tokens
    values, observed = (
        F.pad(part, (0, more))[:, :, stride:].unfold(2, size, stride).transpose(1, 2) for part in x
    )
    return Patches(values, observed)


def last_steps(x: Batch, stride: int) -> Patches:
    """Return the last step (B,N,C,1) that each token knows."""
    values, observed = (F.pad(part, (0, -part.shape[2] % stride)) for part in x)
    ends = slice(stride - 1, None, stride)
    return Patches(*(part[:, :, ends].transpose(1, 2)[..., None] for part in (values, observed)))


def check_causal_tokens(encoder: Encoder) -> None:
    """Raise a ValueError for an encoder of whole series, or one that is not causal."""
    if encoder.stride is None or not encoder.causal:
        sees = "only whole series" if encoder.stride is None else "steps that come later"
        raise ValueError(
            f"next_step needs an encoder whose tokens know the past alone, got "
            f"{type(encoder).__name__}, which sees {sees}: use "
            f"{option('encoder', 'dilated_causal')}, or {option('objective', 'forecast')}"
        )
