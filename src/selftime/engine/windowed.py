"""Any encoder step by step: the last window is encoded anew."""

from collections.abc import Callable

import torch
from jaxtyping import Int
from torch import Tensor

from selftime.data.batch import Batch
from selftime.encoders.streamed import Memory, Streamed
from selftime.shapes import Embedding, Tokens

Embed = Callable[[Batch], Embedding]
"""From series (B,C,T) to a vector each."""
_MAX_WINDOWS = 64
"""Windows that are encoded at a time."""


class Windowed(Streamed):
    """At every ``every``-th step the vector of the last ``window`` steps, held in between.

    The first windows are shorter: they begin with the stream. What is not new is encoded again,
    so a step costs as much as the window; in return the encoder may be any, and what is done to
    a series as a whole is done to the window.

    Attributes:
        values: (S,C,W) the last steps.
        observed: (S,C,W).
        held: (S,D) the newest vectors.
    """

    def __init__(self, embed: Embed, shape: tuple[int, int, int], dim: int, *, every: int) -> None:
        self.embed, self.every, self.window = embed, every, shape[2]
        self.reach = (-(-self.window // every) + 1) * every  # and due again as at the beginning
        self.values = torch.zeros(shape)
        self.observed = torch.zeros(shape, dtype=torch.bool)
        self.held = torch.zeros(shape[0], dim)

    def advance(self, x: Batch, time: int) -> Tokens:
        """The vector of the newest window at each of the next steps (S,k,D)."""
        values = torch.cat([self.values, x.values], dim=2)  # (S,C,W+k)
        observed = torch.cat([self.observed, x.observed], dim=2)
        steps = torch.arange(time, time + x.values.shape[2])
        due = steps[steps % self.every == 0]
        fresh = [
            self.embed_windows(Batch(values, observed), some - time, some)
            for some in torch.split(due, max(_MAX_WINDOWS // len(values), 1))
            if len(some)
        ]
        known = torch.cat([self.held[:, None], *fresh], dim=1)  # (S,1+n,D)
        vectors = known[:, (steps // self.every) - ((time - 1) // self.every)]
        self.values.copy_(values[:, :, -self.window :])
        self.observed.copy_(observed[:, :, -self.window :])
        self.held.copy_(vectors[:, -1])
        return vectors

    def embed_windows(self, x: Batch, places: Int[Tensor, " n"], steps: Int[Tensor, " n"]) -> Tokens:
        """The vectors (S,n,D) of the windows that end at some of the new steps.

        Args:
            x: the steps before and the new ones (S,C,W+k).
            places: which of the new steps they are.
            steps: their numbers in the stream.
        """
        ticks = torch.arange(self.window)
        lengths = (steps + 1).clamp(max=self.window)[:, None]
        within = ticks < lengths  # (n,W)
        at = (places[:, None] + self.window + 1 - lengths + ticks).where(within, 0)  # (n,W)
        windows = [part[:, :, at].transpose(1, 2).flatten(0, 1) for part in x]  # (S·n,C,W)
        valid = windows[1] & within.repeat(len(x.values), 1)[:, None]
        longest = int(lengths.max())
        vectors = self.embed(Batch(windows[0][..., :longest], valid[..., :longest]))
        return vectors.view(len(x.values), len(steps), -1)

    def memory(self) -> Memory:
        """The last steps and vectors."""
        return {"values": self.values, "observed": self.observed, "held": self.held}
