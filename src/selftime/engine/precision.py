"""Half precision: whether this machine computes an encoder in it nearly as in full precision."""

import math
import warnings

import torch
from accelerate import Accelerator

from selftime.data.batch import Batch
from selftime.encoders.base import Encoder
from selftime.engine.choices import Choice
from selftime.engine.monitoring.monitors import evaluating
from selftime.engine.training.config import Precision

FAR = 0.1
"""Relative error of embeddings above which half precision is refused. Measured in bfloat16 (2⁻⁸ =
0.004 an operation): 0.009 at most, over every network in ``selftime methods`` on two bundled sets
and on sine waves, and over small networks. Where each convolution of 8 taps on few channels gave
noise, as one does on some CPUs, a ResNet was 0.36 off or more."""


class Refused(UserWarning):
    """Half precision that was asked for, and is wrong on this machine."""


def error_of_half(encoder: Encoder, batch: Batch, accelerator: Accelerator) -> float:
    """How far embeddings under the accelerator's autocast are from those in full precision.

    The length of the difference over that of the embeddings; the largest of all processes, so
    that they agree. NaN or infinite where half precision gives no numbers.
    """
    with evaluating(encoder), torch.enable_grad():  # as in a step: some compute otherwise without
        full = encoder.embed(batch).detach().float()
        with accelerator.autocast():
            half = encoder.embed(batch).detach().float()
    error = (half - full).norm() / full.norm().clamp(min=torch.finfo(full.dtype).tiny)
    return float(accelerator.gather(error[None]).max())


def is_near(error: float) -> bool:
    """Whether half precision may be used; never where it gives no numbers."""
    return error <= FAR


def refusal(given: Precision, error: float) -> Choice:
    """Full precision, and why."""
    off = f"{error:.0%} off" if math.isfinite(error) else "no numbers"
    reason = (
        f"{given} was given, but on this machine embeddings of the first batch are {off} in it "
        f"(healthy is at most {FAR:.0%} off)"
    )
    return Choice("no", reason)


def in_words(refused: Choice) -> str:
    """What people are told of a refusal."""
    return f"{refused.reason}: learning in full precision instead; give precision 'no'"


def warn_of(refused: Choice | None) -> None:
    """A Python warning, where no log is kept that says it."""
    if refused:
        warnings.warn(in_words(refused), Refused, stacklevel=3)
