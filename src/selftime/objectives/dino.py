"""DINO: a student predicts from one view the outputs of its teacher for another."""

from collections.abc import Callable, Sequence
from itertools import product

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Generator, Tensor, nn

from selftime.data.batch import Batch
from selftime.encoders.base import Encoder
from selftime.objectives.base import Objective, Recipe, Step
from selftime.objectives.distributed import distribute
from selftime.objectives.parts.heads import linear, weights_from
from selftime.objectives.parts.teacher import Branch, Teacher
from selftime.settings import check_positive
from selftime.shapes import Embedding
from selftime.views.pairs import Independent

_Views = Callable[[Batch, Generator], Sequence[Batch]]
"""Series in, two views of each out, and further ones that the student alone sees."""
STUDENT = 0.1
"""Temperature of the student (Caron et al. 2021, section 3.2)."""
CENTRING = 0.5
"""Share of the centre that stays at each step (Caron et al. 2021, equation 4). The paper has 0.9:
at rates for short runs outputs move faster than such a centre, and series crowd into one output."""


class DINO(Objective):
    """Self-distillation without labels (Caron et al. 2021, algorithm 1).

    Teacher and student sort series into the same outputs. The teacher's are centred and sharpened.
    Runs here take hundreds of steps: the momentum begins at 0.99, where the paper has 0.996, the
    last layer is not frozen at first, and there are 256 outputs, where the paper has 65536 for
    a million images.

    Attributes:
        encoder: what is learned.
        pair: makes two views, which both see, or these and others for the student alone, such as
            short crops (section 3.1, "multi-crop").
        outputs: K, into which series are sorted.
        temperature: of the teacher; below the student's 0.1 it sharpens.
        momentum: of the teacher at the beginning; it rises to 1.
        seed: draws the weights of the head.

    Raises:
        ValueError: a momentum outside 0 to 1, or a temperature that is not positive.
    """

    family = "without negatives"
    suits = "data with groups to be found: series are sorted, not merely matched"
    recipe = Recipe(batch_size=32, rate=1e-3, weight_decay=1e-4, warmup=0.1)

    def __init__(
        self,
        *,
        encoder: Encoder,
        pair: _Views = Independent(),  # noqa: B008
        outputs: int = 256,
        temperature: float = 0.04,  # Caron et al. 2021, section 3.2, first epochs
        momentum: float = 0.99,
        seed: int = 0,
    ) -> None:
        super().__init__()
        check_positive("temperature", temperature, 0.2)
        self.encoder, self.pair, self.outputs = encoder, pair, outputs
        self.temperature, self.momentum, self.seed = temperature, momentum, seed
        self.project = DINOHead(encoder.dim, encoder.dim, outputs, seed=seed)
        self.teacher = Teacher(Branch(encoder, self.project), momentum=momentum, schedule="cosine")
        self.centre: Tensor
        self.register_buffer("centre", torch.zeros(outputs))
        self.seen: Tensor | None = None  # mean output of the last batch, until the step is taken

    def prepare(self, sample: Batch, rng: Generator) -> None:
        """Prepare the encoder; the teacher begins as its copy, the centre as its mean output."""
        # Untrained, all series have nearly one vector: a centre of 0 would teach a single output.
        super().prepare(sample, rng)
        self.teacher.copy(Branch(self.encoder, self.project))
        with torch.no_grad():
            self.centre.copy_(self.teacher.module(sample).mean(dim=0))

    def forward(self, batch: Batch, rng: Generator) -> Step:
        """Views, encode, sort; cross entropy between all pairs of different views."""
        views = self.pair(batch, rng)
        vectors = [distribute(self.encoder.embed, view) for view in views]
        students = [self.project(z) / STUDENT for z in vectors]
        with torch.no_grad():
            logits = [self.teacher.module(view) for view in views[:2]]
            targets = [sharpened(z, self.centre, self.temperature) for z in logits]
            self.seen = torch.cat(logits).mean(dim=0)
        pairs = [(i, j) for i, j in product(range(len(targets)), range(len(students))) if i != j]
        losses = [distillation(students[j], targets[i]) for i, j in pairs]
        return Step(torch.stack(losses).mean(), {}, vectors[0].detach())

    def after_step(self, progress: float) -> None:
        """The teacher follows, ever more slowly; so does the centre (equation 4)."""
        self.teacher.follow(Branch(self.encoder, self.project), progress)
        if self.seen is not None:
            self.centre.lerp_(self.seen.to(self.centre), 1 - CENTRING)
            self.seen = None


class DINOHead(nn.Module):
    """Layers with GELU, length 1, cosines with K directions (Caron et al. 2021, appendix C)."""

    def __init__(self, inner: int, hidden: int, outputs: int, *, seed: int) -> None:
        super().__init__()
        rng = weights_from(seed)
        self.layers = nn.Sequential(
            linear(inner, hidden, rng), nn.GELU(), linear(hidden, hidden, rng)
        )
        self.directions = nn.Parameter(torch.randn(outputs, hidden, generator=rng))

    def forward(self, z: Embedding) -> Float[Tensor, "B K"]:
        """Vectors (B,D) to logits (B,K)."""
        return F.normalize(self.layers(z), dim=1) @ F.normalize(self.directions, dim=1).T


def distillation(student: Embedding, teacher: Embedding) -> Float[Tensor, ""]:
    """−Σ_k p_k log softmax(s)_k of logits s, mean of the batch (Caron et al. 2021, equation 1)."""
    return -(teacher * student.log_softmax(dim=1)).sum(dim=1).mean()


def sharpened(logits: Embedding, centre: Float[Tensor, "D"], temperature: float) -> Embedding:
    """softmax((z − c) / τ): the output of a teacher (Caron et al. 2021, section 3.1)."""
    # The centre keeps one output from winning always, the low τ keeps all from being equal.
    return ((logits - centre) / temperature).softmax(dim=1)
