"""MoCo: a series is found among many others, whose keys come from earlier batches."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Generator, Tensor

from selftime.data.batch import Batch
from selftime.encoders.base import Encoder
from selftime.objectives.base import Objective, Recipe, Step, check_negatives
from selftime.objectives.distributed import distribute
from selftime.objectives.parts.heads import projector
from selftime.objectives.parts.teacher import Branch, Teacher
from selftime.settings import check_positive
from selftime.shapes import Embedding
from selftime.views.pairs import Independent, Pair

_WIDTH = 128  # of queries and keys (He et al. 2020, section 3.3)
_MAX_BATCHES = 64  # of a step (accumulated gradients) whose keys are held until it is taken


class MoCo(Objective):
    """Momentum contrast (He et al. 2020, algorithm 1) with a projection of two layers (MoCo v2).

    The queue begins empty, not random; so that the first step has negatives, the keys of the other
    series of the batch count as well (as in MoCo v3). There is no batch normalisation, hence
    nothing to shuffle. Runs here take hundreds of steps: the momentum is 0.99 where the paper has
    0.999, and the queue is short, since one longer than the data would hold a series' own earlier
    keys as negatives.

    Attributes:
        encoder: what is learned.
        pair: makes the two views.
        length: keys in the queue; best no more than there are series.
        temperature: divides the cosine similarities.
        momentum: of the encoder of the keys.
        seed: draws the weights of the projection.

    Raises:
        ValueError: a negative length, a momentum outside 0 to 1, or no positive temperature.
    """

    family = "contrastive"
    suits = "many series and little memory: more negatives than a batch holds"
    recipe = Recipe(batch_size=32, rate=1e-3, weight_decay=1e-4, warmup=0.1)

    def __init__(
        self,
        *,
        encoder: Encoder,
        pair: Pair = Independent(),  # noqa: B008
        length: int = 256,
        temperature: float = 0.2,  # Chen et al. 2020, MoCo v2, table 2
        momentum: float = 0.99,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if length < 0:
            raise ValueError(f"got length={length}, wanted 0 or more: use 256")
        check_positive("temperature", temperature, 0.2)
        self.encoder, self.pair, self.length = encoder, pair, length
        self.temperature, self.momentum, self.seed = temperature, momentum, seed
        self.project = projector(encoder.dim, encoder.dim, _WIDTH, seed=seed)
        self.teacher = Teacher(
            Branch(encoder, self.project), momentum=momentum, schedule="constant"
        )
        self.queue: Tensor
        self.filled: Tensor
        self.register_buffer("queue", torch.zeros(length, _WIDTH))  # newest first
        self.register_buffer("filled", torch.tensor(0))
        self.fresh: list[Tensor] = []  # keys that enter the queue when the step is taken

    def prepare(self, sample: Batch, rng: Generator) -> None:
        """Prepare the encoder; the encoder of the keys begins as its copy."""
        super().prepare(sample, rng)
        self.teacher.copy(Branch(self.encoder, self.project))

    def forward(self, batch: Batch, rng: Generator) -> Step:
        """Views, queries of one, keys of the other, contrast."""
        check_negatives(batch)
        first, second = self.pair(batch, rng)
        vectors = distribute(self.encoder.embed, first)
        with torch.no_grad():
            keys = F.normalize(self.teacher.module(second), dim=1)
        earlier = self.queue[: int(self.filled)].clone()
        loss = queue_contrast(self.project(vectors), keys, earlier, self.temperature)
        self.fresh = [*self.fresh, keys][-_MAX_BATCHES:]
        return Step(loss, {}, vectors.detach())

    def after_step(self, progress: float) -> None:
        """The encoder of the keys follows; new keys enter the queue, the oldest leave."""
        self.teacher.follow(Branch(self.encoder, self.project), progress)
        new = torch.cat([*self.fresh[::-1], self.queue])  # keys of the last batch first
        kept = self.filled + len(new) - self.length
        self.queue.copy_(new[: self.length])
        self.filled.copy_(kept.clamp(max=self.length))
        self.fresh = []


def queue_contrast(
    queries: Embedding, keys: Embedding, queue: Float[Tensor, "K D"], temperature: float
) -> Float[Tensor, ""]:
    """−log exp(q·k₊/τ) / Σ_k exp(q·k/τ), mean over the batch (He et al. 2020, equation 1).

    All have length 1. Negatives are the keys of the other series and those of the queue.
    """
    logits = F.normalize(queries, dim=1) @ torch.cat([keys, queue]).T / temperature  # (B,B+K)
    return F.cross_entropy(logits, torch.arange(len(keys), device=keys.device))
