"""Time and frequency agree about a series (TF-C)."""

from itertools import product

from jaxtyping import Float
from torch import Tensor

from selftime.objectives.losses.contrast import nt_xent
from selftime.shapes import Embedding

Views = tuple[Embedding, Embedding]
"""(B,D) of the series as they are, and of their augmentation."""


def consistency(
    time: Views, frequency: Views, temperature: float, margin: float
) -> Float[Tensor, ""]:
    """What time and frequency say of a series is closest where neither was augmented.

    Σ (S^TF − S^pair + δ) over the three pairs in which one side or both are augmented, S the
    contrast of both sides (Zhang et al. 2022, equations 3 and 4). As printed there is no hinge;
    the loss is bounded all the same, as cosines are.

    Args:
        time: projections of the series and of their augmentation.
        frequency: the same of their spectra.
        temperature: divides the cosine similarities.
        margin: δ.
    """
    plain, *others = (nt_xent(t, f, temperature) for t, f in product(time, frequency))
    total: Tensor = sum((plain - other + margin for other in others), plain.new_zeros(()))
    return total
