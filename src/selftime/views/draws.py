"""Random numbers on the device of the generator, for equal results, and smooth random curves."""

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from selftime.settings import check_count
from selftime.shapes import Lengths


def normal(*shape: int, rng: Generator, like: Tensor) -> Tensor:
    """Draw standard normal float32 numbers and move them to the device of ``like``."""
    return torch.randn(shape, generator=rng, device=rng.device).to(like.device)


def uniform(*shape: int, rng: Generator, like: Tensor) -> Tensor:
    """Draw uniform float32 numbers in [0, 1) and move them to the device of ``like``."""
    return torch.rand(shape, generator=rng, device=rng.device).to(like.device)


def either_way(*shape: int, rng: Generator, like: Tensor) -> Tensor:
    """Draw uniform float32 numbers in [-1, 1) and move them to the device of ``like``."""
    return 2 * uniform(*shape, rng=rng, like=like) - 1


def smooth_curves(
    knots: Float[Tensor, "B C K"], lengths: Lengths, T: int
) -> Float[Tensor, "B C {T}"]:
    """Return natural cubic splines through K >= 2 knots, spread evenly over each series.

    The first knot lies on step 0 and the last on the last step of the series; padding is given
    the value of the last knot.
    """
    K = knots.shape[2]
    check_count("knots", K, 2)
    spacing = (K - 1) / one_if_equal(lengths).sub(1).clamp(min=1)  # knots a step
    steps = torch.arange(T, device=knots.device)
    at = (steps * spacing[:, None]).clamp(max=K - 1)  # (B,T) or (1,T), in knots
    weights = spline_weights(at, K).to(knots.dtype).mT  # (B,K,T) or (1,K,T)
    return knots @ (weights[0] if len(weights) == 1 else weights)


def one_if_equal(lengths: Lengths) -> Int[Tensor, "_"]:
    """Return only the first length if all are equal: results for it then serve every series."""
    return lengths[:1] if bool((lengths == lengths[:1]).all()) else lengths


def spline_weights(at: Float[Tensor, "*P"], K: int) -> Float[Tensor, "*P {K}"]:
    """Return the weights of K knots at positions ``at`` in [0, K-1] of a natural cubic spline.

    Between knots j and j+1, with b the distance from j and a = 1 - b, the spline is
    ``a y_j + b y_{j+1} + ((a³-a) m_j + (b³-b) m_{j+1}) / 6`` where m are the second derivatives
    at the knots (Press et al., *Numerical Recipes*, equations 3.3.3 and 3.3.4). The tent
    function of each knot is its a or b, and 0 elsewhere.
    """
    tents = (1 - (at[..., None] - torch.arange(K, device=at.device)).abs()).clamp(min=0)
    return tents + (tents**3 - tents) @ second_derivatives(K).to(tents) / 6


def second_derivatives(K: int) -> Float[Tensor, "{K} {K}"]:
    """Return the matrix from heights of K knots to second derivatives there; 0 at both ends.

    Solves ``m_{j-1} + 4 m_j + m_{j+1} = 6 (y_{j-1} - 2 y_j + y_{j+1})`` (*Numerical Recipes*,
    equation 3.3.7, knots one apart).
    """
    before, at, after = (torch.eye(K, dtype=torch.float64)[i : K - 2 + i] for i in range(3))
    inner = torch.linalg.solve((before + 4 * at + after)[:, 1:-1], 6 * (before - 2 * at + after))
    return torch.nn.functional.pad(inner, (0, 0, 1, 1))
