"""Hydra in tensor operations: the twin of `selftime.encoders.fixed.hydra_numba`."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from selftime.encoders.fixed.rocket_torch import CELLS, centred_shifts, sum_channels
from selftime.shapes import Lengths, Values


def hydra_on_device(
    series: Values,
    lengths: Lengths,
    dilations: Sequence[int],
    weights: Float[Tensor, "E G K 9"],
    members: Int[Tensor, "E G M"],
) -> Float[Tensor, "B E G 2 K"]:
    """Sums of the winning responses, then counts of the lowest, of each kernel.

    Args:
        series: (B,C,T), 0 after the last step.
        lengths: (B,) steps of each series, at least 1.
        dilations: E of them.
        weights: of G groups of K kernels at each dilation, each kernel sums to 0.
        members: M channels whose sum each group reads.
    """
    _, G, K, _ = weights.shape
    chunk = max(1, CELLS // (G * (2 * K + 9) * series.shape[2]))
    return torch.cat(
        [
            torch.stack(
                [
                    counts(x, n, d, w, m)
                    for d, w, m in zip(dilations, weights, members, strict=True)
                ],
                dim=1,
            )
            for x, n in zip(torch.split(series, chunk), torch.split(lengths, chunk), strict=True)
        ]
    )


def counts(
    series: Values,
    lengths: Lengths,
    dilation: int,
    weights: Float[Tensor, "G K 9"],
    members: Int[Tensor, "G M"],
) -> Float[Tensor, "B G 2 K"]:
    """The counts at one dilation."""
    rows = centred_shifts(sum_channels(series, members), dilation)  # (B,G,9,T), (B,1,9,T) if C=1
    response = weights @ rows  # (B,G,K,T)
    within = torch.arange(series.shape[2], device=series.device) < lengths[:, None, None]  # (B,1,T)
    high, first = response.max(dim=2)  # (B,G,T)
    last = response.argmin(dim=2)
    kernels = torch.arange(weights.shape[1], device=series.device)[:, None]  # (K,1)
    won = (first[:, :, None] == kernels) & within[:, :, None]  # (B,G,K,T)
    lost = (last[:, :, None] == kernels) & within[:, :, None]
    soft = (won * high[:, :, None]).sum(dim=-1)
    return torch.stack([soft, lost.sum(dim=-1).to(soft.dtype)], dim=2)
