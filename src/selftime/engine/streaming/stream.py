"""Streams: embeddings of every step as values come in, of one series or of thousands at once."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Float32, Float64, Int
from torch import Tensor

from selftime.data.arrays import as_array
from selftime.data.batch import Batch
from selftime.data.files import place_of
from selftime.data.scaling import SCALED_LEAST, SCALED_LIMIT, PerChannel, Scaling
from selftime.door import option
from selftime.encoders.base import Encoder
from selftime.encoders.streaming.base import Memory, Streamed, StreamError
from selftime.encoders.streaming.streamable import (
    body_of,
    stream_series,
    stream_steps,
    window_instead,
)
from selftime.engine.streaming import state as stream_state
from selftime.shapes import Embedding, Tokens

Cube = Float64[np.ndarray, "S C k"]
"""The next k steps of all streams."""
Level = Float64[np.ndarray, "1 C 1"]
"""What each channel is counted from."""


class StreamScale(NamedTuple):
    """Numbers of each channel (1,C,1) that bring values to the model's units.

    Bounds, mean and std are applied in 32 bits, after the origin was subtracted in 64.
    """

    mean: Float32[np.ndarray, "1 C 1"]
    std: Float32[np.ndarray, "1 C 1"]
    low: Float32[np.ndarray, "1 C 1"] | None
    high: Float32[np.ndarray, "1 C 1"] | None


FLOAT32_MAX = float(np.finfo(np.float32).max)


def cube_of(x: Any, streams: int | None, channels: int) -> tuple[Cube, bool]:
    """Return values (S,C,k), and whether a single step was given."""
    step = (channels,) if streams is None else (streams, channels)
    try:
        found = as_array(x, "the step") if hasattr(x, "detach") else x
        if isinstance(found, np.ma.MaskedArray):
            found = np.ma.filled(found.astype(np.float64), np.nan)
        if getattr(getattr(found, "dtype", None), "kind", "f") == "c":
            raise TypeError("complex numbers")
        values = np.asarray(found, dtype=np.float64)
    except (TypeError, ValueError, OverflowError, RuntimeError) as error:  # the last of tensors
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


def batch_from_cube(
    cube: Cube, scale: StreamScale | None = None, origin: Level | None = None
) -> Batch:
    """Return values above an origin as 32-bit numbers; what is not finite is missing.

    ``scale`` brings values to the model's units, to the bit as :meth:`Scaling.apply` does.
    """
    observed = np.isfinite(cube)
    if origin is not None:
        cube = cube - origin
    values = _clip(np.where(observed, cube, 0.0), FLOAT32_MAX).astype(np.float32)
    if scale is not None:  # in arrays: for a single step they are faster than tensors
        if scale.low is not None and scale.high is not None:
            values = np.minimum(np.maximum(values, scale.low), scale.high)
        with np.errstate(over="ignore"):
            scaled = (values - scale.mean) / scale.std
            if not np.isfinite(scaled).all():
                scaled = (values / 4 - scale.mean / 4) / (scale.std / 4)
        values = _clip(scaled, SCALED_LIMIT)
        values[np.abs(values) <= SCALED_LEAST] = 0.0
    return Batch(torch.from_numpy(values), torch.from_numpy(observed))


def _clip(values: np.ndarray, limit: float) -> np.ndarray:
    """Return the values within ±limit."""
    bound: np.ndarray = np.minimum(np.maximum(values, -limit), limit)  # clip takes longer
    return bound


def stream_scale(scaling: Scaling, channels: int) -> StreamScale:
    """Return the scale of every stream, where all series are scaled by the same numbers."""
    blank = torch.zeros(1, channels, 1)
    mean, std = (part.numpy() for part in scaling.scale_of(Batch(blank, blank == 0)))
    if not isinstance(scaling, PerChannel) or not scaling.low:
        return StreamScale(mean, std, None, None)
    low, high = np.array([scaling.low, scaling.high], np.float32)[:, None, :, None]
    return StreamScale(mean, std, low, high)


def stream_origin(scaling: Scaling) -> Level | None:
    """Return the level that each channel is counted from; None where it is 0.

    Raises:
        StreamError: a channel that is counted from a level of each series' own.
    """
    if not isinstance(scaling, PerChannel) or not scaling.origin:
        return None
    origin = np.array(scaling.origin)[None, :, None]
    if np.isnan(origin).any():
        raise StreamError(
            "levels of the series that the model learned from lie too far apart for a stream: "
            "subtract the level of each series before pretraining, and of the stream"
        )
    return origin


_MAX_WINDOWS = 64
"""Windows that are encoded at a time."""


class Windowed(Streamed):
    """At every ``every``-th step the vector of the last ``window`` steps, held in between.

    The first windows are shorter: they begin with the stream. Each window is encoded anew, so a
    step costs as much as the window; in return the encoder and the scaling may be any. The memory
    is the last steps (S,C,W) and the newest vectors (S,D).
    """

    def __init__(
        self, embed: Callable[[Batch], Embedding], shape: tuple[int, int, int], dim: int, every: int
    ) -> None:
        self.embed, self.every, self.window = embed, every, shape[2]
        self.reach = (-(-self.window // every) + 1) * every  # and due again as at the beginning
        self.values = torch.zeros(shape)
        self.observed = torch.zeros(shape, dtype=torch.bool)
        self.held = torch.zeros(shape[0], dim)

    def read(self, x: Batch, time: int) -> Tokens:
        """Return the vector of the newest window at each of the next steps (S,k,D)."""
        values = torch.cat([self.values, x.values], dim=2)  # (S,C,W+k)
        observed = torch.cat([self.observed, x.observed], dim=2)
        steps = torch.arange(time, time + x.values.shape[2])
        due = steps[steps % self.every == 0]
        fresh = [
            self.embed_windows(Batch(values, observed), some, time)
            for some in torch.split(due, max(_MAX_WINDOWS // len(values), 1))
            if len(some)
        ]
        known = torch.cat([self.held[:, None], *fresh], dim=1)  # (S,1+n,D)
        vectors = known[:, (steps // self.every) - ((time - 1) // self.every)]
        self.values.copy_(values[:, :, -self.window :])
        self.observed.copy_(observed[:, :, -self.window :])
        self.held.copy_(vectors[:, -1])
        return vectors

    def embed_windows(self, x: Batch, steps: Int[Tensor, " n"], time: int) -> Tokens:
        """Return the vectors (S,n,D) of the windows that end at some steps; ``x`` is (S,C,W+k)."""
        ticks = torch.arange(self.window)
        lengths = (steps + 1).clamp(max=self.window)[:, None]
        within = ticks < lengths  # (n,W)
        at = ((steps - time)[:, None] + self.window + 1 - lengths + ticks).where(within, 0)  # (n,W)
        windows = [part[:, :, at].transpose(1, 2).flatten(0, 1) for part in x]  # (S·n,C,W)
        valid = windows[1] & within.repeat(len(x.values), 1)[:, None]
        longest = int(lengths.max())
        vectors = self.embed(Batch(windows[0][..., :longest], valid[..., :longest]))
        return vectors.view(len(x.values), len(steps), -1)

    def memory(self) -> Memory:
        """Return the last steps and vectors."""
        return {"values": self.values, "observed": self.observed, "held": self.held}


VectorsOf = Literal["auto", "step", "series"]


class StreamConfig(NamedTuple):
    """The options of :meth:`selftime.Model.stream`, which says what each means."""

    streams: int | None = None
    of: VectorsOf = "auto"
    window: int | None = None
    every: int = 1


class Source(NamedTuple):
    """The parts of the model that a stream is of."""

    encoder: Encoder
    scaling: Scaling
    channels: tuple[str, ...]


class Stream:
    """Embeddings of every step as values come in: made by :meth:`selftime.Model.stream`.

    NaN and infinities are missing values. A stream remembers a bounded part of the past, whose
    size :attr:`nbytes` is; the work of a step does not depend on how many came before.

    Example:
        >>> import selftime as st
        >>> x = st.sample("JapaneseVowels", "train")[:20]
        >>> model = st.pretrain(x, objective="simclr", encoder="dilated_causal", budget="2 steps")
        >>> stream = model.stream()
        >>> step = [0.0] * 12  # one value for each channel
        >>> stream.update(step).shape, stream.steps
        ((320,), 1)

    Attributes:
        steps: steps that were read so far.
        of_steps: True where embeddings are those of steps, not of the series or window so far.
        dim: D, the embedding size.

    Raises:
        StreamError: an option is out of range, or the model cannot be read so.
    """

    def __init__(self, source: Source, config: StreamConfig) -> None:
        for name, value in (("streams", config.streams), ("window", config.window)):
            if value is not None and value < 1:
                raise StreamError(f"got {option(name, value)}, wanted at least 1, or none")
        if config.every < 1 or (config.every > 1 and config.window is None):
            raise StreamError(
                f"got {option('every', config.every)}, wanted at least 1, and above 1 only with a "
                "window: without one every step is read once"
            )
        if config.of not in ("auto", "step", "series"):
            raise StreamError(f"got of={config.of!r}, wanted 'auto', 'step' or 'series'")
        self.source, self.config = source, config
        self.steps, self.of_steps = 0, is_stepwise(source, config)
        self.dim = body_of(source.encoder).dim if self.of_steps else source.encoder.dim
        self._reader = stream_reader(source, config)
        anew = config.window is not None  # then each window is scaled by itself
        self._scale = None if anew else stream_scale(source.scaling, len(source.channels))
        self._origin = stream_origin(source.scaling)

    def __repr__(self) -> str:
        settings = ", ".join(f"{k}={v!r}" for k, v in self.config._asdict().items())
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
        """Return the embedding of the next step, or of each of the next k.

        Args:
            x: one step (C,), a plain number for one channel, or k steps (C,k); with ``streams``
                (S,C) or (S,C,k). Not finite is missing.

        Returns:
            One vector for each step: (D,) or (k,D); with ``streams`` (S,D) or (S,k,D).

        Raises:
            StreamError: another shape, or not numbers; the stream is as it was before.
        """
        cube, single = cube_of(x, self.config.streams, len(self.source.channels))
        with torch.inference_mode():
            steps = batch_from_cube(cube, self._scale, self._origin)
            tokens = self._reader.read(steps, self.steps).numpy()  # (S,k,D)
        self.steps += cube.shape[2]
        tokens = tokens[:, 0] if single else tokens
        return np.ascontiguousarray(tokens[0] if self.config.streams is None else tokens)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the memory of the stream to one safetensors file, whole or not at all."""
        facts = {"steps": self.steps, **self._facts()}
        return stream_state.save_state(place_of(path), self._reader.memory(), facts)

    def restore(self, path: str | os.PathLike[str]) -> "Stream":
        """Go on where a stream of the same model and options was saved; return this stream.

        Raises:
            StreamError: a missing or damaged file, or one of another model or other options; the
                stream is as it was before.
        """
        self.steps = stream_state.restore_state(
            place_of(path), self._reader.memory(), self._facts()
        )
        return self

    def _facts(self) -> dict[str, Any]:
        return {**self.config._asdict(), "model": stream_state.fingerprint(*self.source)}


def stream_reader(source: Source, config: StreamConfig) -> Streamed:
    """Return the streamed encoder that reads the steps, if the model can be read so."""
    encoder, scaling, channels = source
    streams = config.streams or 1
    if config.window is not None:
        if config.of == "step":
            raise StreamError("got of='step' and a window, which has one vector: leave out one")

        def embed(x: Batch) -> Tensor:
            return encoder.embed(scaling.apply(x))

        shape = (streams, len(channels), config.window)
        return Windowed(embed, shape, encoder.dim, config.every)
    if scaling.whole:
        whole = "the model scales each series by all of its values, also those to come"
        raise StreamError(f"{whole}: {window_instead()}")
    if is_stepwise(source, config):
        return stream_steps(body_of(encoder), streams)
    return stream_series(encoder, streams)


def is_stepwise(source: Source, config: StreamConfig) -> bool:
    """Return whether the vectors are those of steps; refuse ``of="step"`` where there are none."""
    body = body_of(source.encoder)
    if config.window is not None or config.of == "series":
        return False
    if config.of == "step" and body.stride is None:
        raise StreamError(
            f"got of='step', but {type(body).__name__} has one vector a series and none a step: "
            "leave it out for the vector of the series so far"
        )
    return body.stride is not None
