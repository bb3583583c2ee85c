"""TF-C: the embeddings of a series in time and in frequency agree."""

from copy import deepcopy
from itertools import product

from jaxtyping import Float
from torch import Generator, Tensor

from selftime.data.batch import Batch
from selftime.encoders.base import Encoder
from selftime.objectives.base import Objective, Recipe, Step, check_negatives
from selftime.objectives.distributed import distribute
from selftime.objectives.losses import nt_xent
from selftime.objectives.parts.heads import projector
from selftime.settings import check_positive, check_share
from selftime.shapes import Embedding
from selftime.views.mild import Mild, View
from selftime.views.spectrum import Components, amplitudes

_MARGIN = 1.0  # δ (Zhang et al. 2022, section 5)
_WIDTH = 128  # of the space that time and frequency share
_Views = tuple[Embedding, Embedding]
"""(B,D) of the series as they are, and of their augmentation."""


class TFC(Objective):
    """Time-frequency consistency (Zhang et al. 2022, section 4).

    A second encoder, which begins as a copy of the first, reads the magnitude spectrum of a series
    as a series. Only the encoder of time is kept as ``encoder``; that of frequency and both
    projections serve training alone (the paper joins the two projections afterwards).

    Attributes:
        encoder: what is learned, of time.
        view: augments in time.
        perturb: augments spectra.
        balance: λ: weight of the contrasts within time and within frequency; the consistency of
            both has 1 − λ.
        temperature: divides the cosine similarities.
        seed: draws the weights of the projections.

    Raises:
        ValueError: a temperature that is not positive or a balance outside 0 to 1.
    """

    family = "contrastive"
    suits = "vibration, sound, biosignals: the spectrum says as much as the course"
    signals = ("series", "sound", "wave")
    recipe = Recipe(batch_size=32, rate=1e-3, weight_decay=1e-4, warmup=0.1)

    def __init__(
        self,
        *,
        encoder: Encoder,
        view: View = Mild(),  # noqa: B008
        perturb: View = Components(),  # noqa: B008
        balance: float = 0.5,
        temperature: float = 0.2,
        seed: int = 0,
    ) -> None:
        super().__init__()
        check_share("balance", balance)
        check_positive("temperature", temperature, 0.2)
        self.encoder, self.view, self.perturb = encoder, view, perturb
        self.balance, self.temperature, self.seed = balance, temperature, seed
        self.frequency = deepcopy(encoder)
        self.project_time = projector(encoder.dim, 2 * _WIDTH, _WIDTH, seed=seed)
        self.project_frequency = projector(encoder.dim, 2 * _WIDTH, _WIDTH, seed=seed + 1)

    def prepare(self, sample: Batch, rng: Generator) -> None:
        """Prepare both encoders, that of frequency on spectra."""
        self.encoder.prepare(sample, rng)
        self.frequency.prepare(amplitudes(sample), rng)

    def forward(self, batch: Batch, rng: Generator) -> Step:
        """Views in time and in frequency, encode, contrast within each and across."""
        check_negatives(batch)
        spectra = amplitudes(batch)
        h, k = (distribute(self.encoder.embed, x) for x in (batch, self.view(batch, rng)))
        f, g = (distribute(self.frequency.embed, x) for x in (spectra, self.perturb(spectra, rng)))
        within = nt_xent(h, k, self.temperature) + nt_xent(f, g, self.temperature)
        time = self.project_time(h), self.project_time(k)
        frequency = self.project_frequency(f), self.project_frequency(g)
        across = consistency(time, frequency, self.temperature, _MARGIN)
        loss = self.balance * within + (1 - self.balance) * across  # equation 5
        parts = {"within": within.detach(), "across": across.detach()}
        return Step(loss, parts, h.detach())


def consistency(
    time: _Views, frequency: _Views, temperature: float, margin: float
) -> Float[Tensor, ""]:
    """Time and frequency of a series agree most where neither was augmented.

    Σ (S^TF − S^pair + δ) over the three augmented pairs, S the contrast and δ the margin (Zhang et
    al. 2022, equations 3 and 4). As printed there is no hinge; cosines bound the loss all the same.
    """
    plain, *others = (nt_xent(t, f, temperature) for t, f in product(time, frequency))
    total: Tensor = sum((plain - other + margin for other in others), plain.new_zeros(()))
    return total
