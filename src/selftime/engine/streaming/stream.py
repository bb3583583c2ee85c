"""Streams: embeddings of every step as values come in, of one series or of thousands at once."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Float32, Float64, Int
from torch import Tensor

from selftime.data.batch import Batch
from selftime.data.scaling import PerSeries, Scaling
from selftime.encoders.base import Encoder
from selftime.encoders.streaming.base import Memory, Streamed, StreamError
from selftime.encoders.streaming.streamable import INSTEAD, body_of, stream_series, stream_steps
from selftime.engine.streaming import state as stream_state
from selftime.shapes import Embedding, Tokens

Cube = Float64[np.ndarray, "S C k"]
"""The next k steps of all streams."""
MeanAndSd = tuple[Float32[np.ndarray, "1 C 1"], Float32[np.ndarray, "1 C 1"]]
"""What is subtracted from values and what they are then divided by."""
VALUE_LIMIT = 1e12
"""Scaled values count as no larger, so that a wild one does not overflow in the network and go on
as NaN for as long as the stream remembers it."""
FLOAT32_MAX = float(np.finfo(np.float32).max)
"""The largest 32-bit number."""


def cube_of(x: Any, streams: int | None, channels: int) -> tuple[Cube, bool]:
    """Values (S,C,k), and whether a single step was given.

    Raises:
        StreamError: another shape, or not numbers.
    """
    step = (channels,) if streams is None else (streams, channels)
    try:
        values = np.asarray(x, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise StreamError(f"got {type(x).__name__} ({error}), wanted numbers {step}") from None
    if values.ndim == 0 and step == (1,):
        values = values[None]
    if values.shape == step:
        return values.reshape(streams or 1, channels, 1), True
    if values.shape[:-1] == step and values.shape[-1] > 0:
        return values.reshape(streams or 1, channels, -1), False
    chunk = str(step).replace(",)", ")").replace(")", ", k)")
    raise StreamError(
        f"got values of shape {values.shape}, wanted {step} for one step or {chunk} for k "
        f"steps: {'one stream' if streams is None else f'{streams} streams'} of "
        f"{'1 channel' if channels == 1 else f'{channels} channels'}"
    )


def batch_from_cube(cube: Cube, scale: MeanAndSd | None = None) -> Batch:
    """Values as 32-bit numbers; what is not finite is missing.

    Args:
        cube: (S,C,k) what came.
        scale: brings values to the model's units, within ±:data:`VALUE_LIMIT`.
    """
    observed = np.isfinite(cube)
    values = _clip(np.where(observed, cube, 0.0), FLOAT32_MAX).astype(np.float32)
    if scale is not None:  # in arrays: for a single step they are faster than tensors
        with np.errstate(over="ignore"):
            values = _clip((values - scale[0]) / scale[1], VALUE_LIMIT)
    return Batch(torch.from_numpy(values), torch.from_numpy(observed))


def _clip(values: np.ndarray, most: float) -> np.ndarray:
    """The values, where they are beyond ±most that."""
    bound: np.ndarray = np.minimum(np.maximum(values, -most), most)  # clip takes longer
    return bound


def stream_scale(scaling: Scaling, channels: int) -> MeanAndSd:
    """The scale of every stream, where series are scaled alike."""
    blank = torch.zeros(1, channels, 1)
    mean, sd = scaling.scale_of(Batch(blank, blank == 0))
    return mean.numpy(), sd.numpy()


def bounded(x: Batch) -> Batch:
    """Values within ±:data:`VALUE_LIMIT`."""
    return Batch(x.values.clamp(-VALUE_LIMIT, VALUE_LIMIT), x.observed)


Embed = Callable[[Batch], Embedding]
"""From series (B,C,T) to a vector each."""
_MAX_WINDOWS = 64
"""Windows that are encoded at a time."""


class Windowed(Streamed):
    """At every ``every``-th step the vector of the last ``window`` steps, held in between.

    The first windows are shorter: they begin with the stream. What is not new is encoded again,
    so a step costs as much as the window; in return the encoder may be any, and what is done to
    a series as a whole is done to the window.

    Attributes:
        values: (S,C,W) the last steps.
        observed: (S,C,W).
        held: (S,D) the newest vectors.
    """

    def __init__(self, embed: Embed, shape: tuple[int, int, int], dim: int, *, every: int) -> None:
        self.embed, self.every, self.window = embed, every, shape[2]
        self.reach = (-(-self.window // every) + 1) * every  # and due again as at the beginning
        self.values = torch.zeros(shape)
        self.observed = torch.zeros(shape, dtype=torch.bool)
        self.held = torch.zeros(shape[0], dim)

    def read(self, x: Batch, time: int) -> Tokens:
        """The vector of the newest window at each of the next steps (S,k,D)."""
        values = torch.cat([self.values, x.values], dim=2)  # (S,C,W+k)
        observed = torch.cat([self.observed, x.observed], dim=2)
        steps = torch.arange(time, time + x.values.shape[2])
        due = steps[steps % self.every == 0]
        fresh = [
            self.embed_windows(Batch(values, observed), some - time, some)
            for some in torch.split(due, max(_MAX_WINDOWS // len(values), 1))
            if len(some)
        ]
        known = torch.cat([self.held[:, None], *fresh], dim=1)  # (S,1+n,D)
        vectors = known[:, (steps // self.every) - ((time - 1) // self.every)]
        self.values.copy_(values[:, :, -self.window :])
        self.observed.copy_(observed[:, :, -self.window :])
        self.held.copy_(vectors[:, -1])
        return vectors

    def embed_windows(
        self, x: Batch, places: Int[Tensor, " n"], steps: Int[Tensor, " n"]
    ) -> Tokens:
        """The vectors (S,n,D) of the windows that end at some of the new steps.

        Args:
            x: the steps before and the new ones (S,C,W+k).
            places: which of the new steps they are.
            steps: their numbers in the stream.
        """
        ticks = torch.arange(self.window)
        lengths = (steps + 1).clamp(max=self.window)[:, None]
        within = ticks < lengths  # (n,W)
        at = (places[:, None] + self.window + 1 - lengths + ticks).where(within, 0)  # (n,W)
        windows = [part[:, :, at].transpose(1, 2).flatten(0, 1) for part in x]  # (S·n,C,W)
        valid = windows[1] & within.repeat(len(x.values), 1)[:, None]
        longest = int(lengths.max())
        vectors = self.embed(Batch(windows[0][..., :longest], valid[..., :longest]))
        return vectors.view(len(x.values), len(steps), -1)

    def memory(self) -> Memory:
        """The last steps and vectors."""
        return {"values": self.values, "observed": self.observed, "held": self.held}


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
            tokens = self._reader.read(steps, self.steps).numpy()  # (S,k,D)
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
