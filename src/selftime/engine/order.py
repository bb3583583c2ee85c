"""Which series come in which step: a function of the seed and the number of the step alone."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Int64


@dataclass(frozen=True, kw_only=True)
class Sampler:
    """Batches drawn without replacement, anew for every pass over the series.

    What is left over at the end of a pass is left out of it, so that all batches are full; in the
    next pass others are left over.

    Attributes:
        count: how many series there are.
        batch_size: series of a batch; no more than there are.
        seed: fixes the order.
    """

    count: int
    batch_size: int
    seed: int

    @property
    def batches_a_pass(self) -> int:
        """Full batches in a pass over the series."""
        return max(self.count // self.batch_size, 1)

    def batch(self, number: int) -> Int64[np.ndarray, "B"]:
        """Series of batch ``number``, counted over the whole run."""
        turn, place = divmod(number, self.batches_a_pass)
        size = min(self.batch_size, self.count)
        return permutation(self.count, self.seed, turn)[place * size : (place + 1) * size]


@lru_cache(maxsize=1)
def permutation(count: int, seed: int, turn: int) -> Int64[np.ndarray, "N"]:
    """The order of pass ``turn``."""
    return np.random.default_rng([seed, 2, turn]).permutation(count)
