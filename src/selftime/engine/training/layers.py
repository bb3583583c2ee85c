"""Layers of encoders while they learn: computed again instead of kept, or compiled."""

from functools import partial
from types import MethodType
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from selftime.door import option
from selftime.encoders.base import Encoder


def layers_of(module: nn.Module) -> list[nn.Module]:
    """Return the layers of all encoders in a module: each is called once for a token sequence.

    They are what is worth computing again, compiling and sharing out: nearly all weights and
    features of a deep network, in equal parts.
    """
    encoders = [part for part in module.modules() if isinstance(part, Encoder)]
    return [layer for encoder in encoders for layer in getattr(encoder, "stack", ())]


def recompute_layers(module: nn.Module) -> None:
    """Keep only what enters each layer, and compute the rest again for its gradient.

    Chen, Xu, Zhang & Guestrin 2016, "Training deep nets with sublinear memory cost", section 3.
    Nothing random happens within a layer, so gradients are the same.

    Raises:
        ValueError: an encoder without layers.
    """
    for layer in _some_layers(module, "gradient_checkpointing"):
        vars(layer)["forward"] = MethodType(_run_again, layer)  # until as_written takes it off


def _run_again(layer: nn.Module, *given: Any) -> Any:
    """Call a layer as its class says, and again for the gradient."""
    work = partial(type(layer).forward, layer)
    return checkpoint(work, *given, use_reentrant=False, preserve_rng_state=False)


def compile_layers(module: nn.Module, device: torch.device) -> None:
    """Compile each layer at its first call, and equal ones once.

    Raises:
        ValueError: an encoder without layers, or a machine that cannot compile.
    """
    layers = _some_layers(module, "compile")
    try:
        torch.compile(torch.sin)(torch.ones(2, device=device))
    except (
        RuntimeError
    ) as error:  # of torch._dynamo or torch._inductor: no compiler, or a broken one
        compiler = "Triton" if device.type == "cuda" else "a C++ compiler, such as g++"
        raise ValueError(
            f"got {option('compile', True)}, wanted {compiler} for torch.compile to use, which "
            f"says: {str(error).strip().splitlines()[0]}. Install it, or learn without compiling"
        ) from None
    for layer in layers:
        layer.compile()


def as_written(module: nn.Module) -> None:
    """Take off what :func:`recompute_layers` and :func:`compile_layers` did to a module."""
    for layer in layers_of(module):
        vars(layer).pop("forward", None)
        layer._compiled_call_impl = None  # torch has no call for it


def _some_layers(module: nn.Module, name: str) -> list[nn.Module]:
    if layers := layers_of(module):
        return layers
    encoder = type(getattr(module, "encoder", module)).__name__
    raise ValueError(
        f"got {option(name, True)} for {encoder}, wanted an encoder with a stack of layers, such "
        "as dilated or transformer"
    )
