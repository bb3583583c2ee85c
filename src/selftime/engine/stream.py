"""Streams: embeddings of every step as values come in, of one series or of thousands at once."""

import os
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor

from selftime.data.batch import Batch
from selftime.data.scaling import PerSeries, Scaling
from selftime.encoders.base import Encoder
from selftime.encoders.streamed import Streamed
from selftime.encoders.streamed import StreamError as StreamError
from selftime.encoders.streaming import INSTEAD, body_of, stream_series, stream_steps
from selftime.engine import stream_state
from selftime.engine.stream_values import batch_from_cube, bounded, cube_of, stream_scale
from selftime.engine.windowed import Windowed

Of = Literal["auto", "step", "series"]
"""What the vectors of a stream are of."""


class Manner(NamedTuple):
    """How a stream is read.

    Attributes:
        streams: series that come at once, or None for a single one.
        of: what the vectors are of: "step", the network's token of each step, before vectors of
            whole series are standardised; "series", the model's vector of the series so far;
            "auto" is "step" where there are tokens of steps.
        window: steps that are encoded anew, or None where what comes is read once.
        every: steps from one encoding of a window to the next.
    """

    streams: int | None = None
    of: Of = "auto"
    window: int | None = None
    every: int = 1


class Source(NamedTuple):
    """The model that a stream is of.

    Attributes:
        encoder: its encoder.
        scaling: its scaling.
        channels: names of its channels.
    """

    encoder: Encoder
    scaling: Scaling
    channels: tuple[str, ...]


class Stream:
    """Reads steps as they come and says an embedding for each: made by ``model.stream()``.

    NaN and infinities are missing values. A stream remembers a bounded part of the past, whose
    size :attr:`nbytes` is; the work of a step does not depend on how many came before.

    Attributes:
        steps: steps that were read so far.
        of_steps: whether embeddings are those of steps, not of the series or window so far.
        dim: D, length of the embeddings.
    """

    def __init__(self, source: Source, manner: Manner) -> None:
        check_manner(manner)
        self.source, self.manner = source, manner
        self.steps, self.of_steps = 0, is_stepwise(source, manner)
        self.dim = body_of(source.encoder).dim if self.of_steps else source.encoder.dim
        self._reader = stream_reader(source, manner)
        anew = manner.window is not None  # then each window is scaled by itself
        self._scale = None if anew else stream_scale(source.scaling, len(source.channels))

    def __repr__(self) -> str:
        settings = ", ".join(f"{k}={v!r}" for k, v in self.manner._asdict().items())
        return f"Stream({settings}, steps={self.steps})"

    @property
    def nbytes(self) -> int:
        """Bytes of its memory when full; it is taken from the system as the stream fills it."""
        return sum(held.nbytes for held in self._reader.memory().values())

    @property
    def reach(self) -> int:
        """Steps after which what came before has no influence any more, or hardly any."""
        return self._reader.reach

    def update(self, x: Any) -> Float32[np.ndarray, "..."]:
        """The embedding of the next step, or of each of the next k.

        Args:
            x: one step (C,), a plain number for one channel, or k steps (C,k); with ``streams``
                (S,C) or (S,C,k). Not finite is missing.

        Returns:
            One vector for each step: (D,) or (k,D); with ``streams`` (S,D) or (S,k,D).

        Raises:
            StreamError: another shape, or not numbers; the stream is as it was before.
        """
        cube, single = cube_of(x, self.manner.streams, len(self.source.channels))
        with torch.inference_mode():
            steps = batch_from_cube(cube, self._scale)
            tokens = self._reader.advance(steps, self.steps).numpy()  # (S,k,D)
        self.steps += cube.shape[2]
        tokens = tokens[:, 0] if single else tokens
        return np.ascontiguousarray(tokens[0] if self.manner.streams is None else tokens)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write all that the stream remembers to one safetensors file, whole or not at all.

        The file before it stays until the new one is on disk.
        """
        facts = {"steps": self.steps, **self._facts()}
        return stream_state.save_state(Path(path), self._reader.memory(), facts)

    def restore(self, path: str | os.PathLike[str]) -> "Stream":
        """Go on where a stream of the same model, made in the same way, was saved; itself.

        Raises:
            StreamError: a missing or damaged file, or one of another model or way; the stream is
                as it was before.
        """
        self.steps = stream_state.restore_state(Path(path), self._reader.memory(), self._facts())
        return self

    def _facts(self) -> dict[str, Any]:
        return {**self.manner._asdict(), "model": stream_state.fingerprint(*self.source)}


def check_manner(manner: Manner) -> None:
    """It can be meant.

    Raises:
        StreamError: no stream, no step, or a word that is not known.
    """
    for name, value in (("streams", manner.streams), ("window", manner.window)):
        if value is not None and value < 1:
            raise StreamError(f"got {name}={value}, wanted at least 1, or None")
    if manner.every < 1 or (manner.every > 1 and manner.window is None):
        raise StreamError(
            f"got every={manner.every}, wanted at least 1, and above 1 only with a window: "
            "without one every step is read once"
        )
    if manner.of not in ("auto", "step", "series"):
        raise StreamError(f"got of={manner.of!r}, wanted 'auto', 'step' or 'series'")


def stream_reader(source: Source, manner: Manner) -> Streamed:
    """What reads the steps.

    Raises:
        StreamError: the model cannot be read so.
    """
    encoder, scaling, channels = source
    streams = manner.streams or 1
    if manner.window is not None:
        if manner.of == "step":
            raise StreamError("got of='step' and a window, which has one vector: leave out one")

        def embed(x: Batch) -> Tensor:
            return encoder.embed(bounded(scaling.apply(x)))

        shape = (streams, len(channels), manner.window)
        return Windowed(embed, shape, encoder.dim, every=manner.every)
    if isinstance(scaling, PerSeries):
        raise StreamError(
            f"the model scales each series by all of its values, also those to come: {INSTEAD}"
        )
    if is_stepwise(source, manner):
        return stream_steps(body_of(encoder), streams)
    return stream_series(encoder, streams)


def is_stepwise(source: Source, manner: Manner) -> bool:
    """Whether the vectors are those of steps.

    Raises:
        StreamError: they shall be, but there are none.
    """
    body = body_of(source.encoder)
    if manner.window is not None or manner.of == "series":
        return False
    if manner.of == "step" and body.stride is None:
        raise StreamError(
            f"got of='step', but {type(body).__name__} has one vector a series and none a step: "
            "leave it out for the vector of the series so far"
        )
    return body.stride is not None
