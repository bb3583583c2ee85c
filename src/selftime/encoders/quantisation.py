"""Weights of 8 and 16 bits: rounded where they are learned, kept on disk as they then are."""

import torch
from jaxtyping import Float32
from torch import Tensor

_MOST = 127
"""Steps on either side of 0 that 8 bits hold."""
_COARSE = 1 << 9
"""Steps keep 15 of 24 bits, so that up to 127 of them are still exact in 32-bit numbers."""
_STEP = "#step"
"""Ends the names of the steps beside the whole numbers of a tensor."""


_HALF_ERROR = 2.0**-10
"""Rounding of 16-bit floats, as a share: beyond it numbers are stored as they are."""


def quantise(weight: Float32[Tensor, "F D"]) -> Float32[Tensor, "F D"]:
    """Return the weights rounded to 127 steps on either side of 0, column by column.

    A rounding error is at most half a step, 0.4 % of the largest weight of its column, and differs
    from weight to weight, so that sums over thousands of features keep less than that of it.
    """
    largest = weight.abs().amax(dim=0)
    bits = (largest / _MOST).view(torch.int32)
    step = ((bits + _COARSE - 1) // _COARSE * _COARSE).view(torch.float32)
    return (weight / _above_zero(step)).round() * step


def pack_tensors(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return tensors as they are written: in 8 or 16 bits where these hold all their values.

    Quantised matrices become whole numbers and their steps. Nothing is lost: other tensors stay as
    they are, and :func:`unpack_tensors` returns the bits.
    """
    out: dict[str, Tensor] = {}
    for name, tensor in state.items():
        found = _whole_numbers(tensor)
        if found is not None:
            out[name], out[name + _STEP] = found
        else:
            is_half = tensor.dtype == torch.float32 and torch.equal(tensor.half().float(), tensor)
            out[name] = tensor.half() if is_half else tensor
    return out


def unpack_tensors(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return tensors as they were before :func:`pack_tensors`.

    Raises:
        ValueError: steps that do not fit their whole numbers.
    """
    out = {name: tensor for name, tensor in state.items() if not name.endswith(_STEP)}
    for name, step in ((n.removesuffix(_STEP), t) for n, t in state.items() if n not in out):
        whole = out.get(name)
        if whole is None or whole.dtype != torch.int8 or whole.shape[1:] != step.shape:
            raise ValueError(f"the steps of {name} do not fit its whole numbers")
        out[name] = whole.float() * step.float()
    return {n: t.float() if t.dtype == torch.float16 else t for n, t in out.items()}


def _whole_numbers(tensor: Tensor) -> tuple[Tensor, Tensor] | None:
    """Return whole numbers and steps of a quantised matrix; None of any other tensor."""
    if tensor.dtype != torch.float32 or tensor.ndim != 2 or not tensor.numel():
        return None
    step = tensor.abs().amax(dim=0) / _MOST
    whole = (tensor / _above_zero(step)).round()
    return (whole.to(torch.int8), step) if torch.equal(whole * step, tensor) else None


def _above_zero(step: Tensor) -> Tensor:
    """Return the steps, 1 where all weights are 0."""
    return torch.where(step > 0, step, torch.ones_like(step))


def halved(tensor: Tensor) -> Tensor:
    """Return a tensor in 16 bits where these hold it, else itself.

    Each row of a matrix must keep its numbers to a part in a thousand of its length, of which sums
    are made; a vector each number by itself.
    """
    if tensor.dtype != torch.float32:
        return tensor
    near = tensor.half().float()
    gap, size = (near - tensor).abs(), tensor.abs()
    if tensor.ndim > 1:
        gap, size = (part.flatten(1).norm(dim=1) for part in (gap, size))
    return tensor.half() if bool((gap <= _HALF_ERROR * size).all()) else tensor
