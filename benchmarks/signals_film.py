"""Film: order, direction and next frames, on two films and on digits that move."""

from collections.abc import Callable
from dataclasses import replace
from itertools import permutations
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor

import selftime as st
from benchmarks.open_data import root
from benchmarks.signals_common import Figures, Learned, learn, share
from selftime.data.series import SeriesSet
from selftime.data.signals import Film
from selftime.data.windows import batch_of
from selftime.encoders.base import Encoder
from selftime.encoders.builders import build_encoder, embedder_for
from selftime.encoders.networks.recurrent import GRU
from selftime.encoders.wrappers.embedded import Embedded
from selftime.engine.solve import generator
from selftime.objectives.formula import settings_for
from selftime.objectives.next_step import frames_after
from selftime.objectives.registry import OBJECTIVES
from selftime.objectives.segment_order import embed_pieces, pieces_of, valid_pieces
from selftime.views.pairs import same

FRAMES = 20
"""Of a clip."""
GAP = 4
"""Frames between the part of a film that is learned from and the part that is judged."""
SIZE, SMALL = (36, 64), (18, 32)
DIGITS, MORE_DIGITS = 2000, 8000
DRAWS = 10
"""Each clip is judged so many times, in pieces that lie elsewhere."""
DIGITS_UP_TO = {2: (6000, 8000), 3: (8000, 10_000)}
"""Digits that move in clips to learn from and, behind them, in clips to judge, by quarters."""
_SHIFT = 14


def film_clips(
    name: str, size: tuple[int, int] = SIZE, quarters: int = 3
) -> tuple[SeriesSet, SeriesSet]:
    """Overlapping clips of the first quarters of a film, and of the quarter that follows."""
    film = st.read(root() / "modalities" / "video" / name, kind="film", size=size)
    grey = film.series(0).reshape(film.kind.colours, -1, film.lengths[0]).mean(axis=0)  # (H·W,T)
    cut, end = (film.lengths[0] * n // 4 for n in (quarters, quarters + 1))
    kind = replace(film.kind, colours=1)
    parts = (grey[:, :cut], 1), (grey[:, cut + GAP : end], 2)
    made = []
    for part, stride in parts:
        one = replace(st.SeriesSet.of([part]), kind=kind)
        made.append(st.windows(one, FRAMES, stride=stride).select())
    return made[0], made[1]


def moving_digits(
    count: int, size: tuple[int, int] = SIZE, *, test: bool, quarters: int = 3
) -> SeriesSet:
    """Clips in which two digits of MNIST move straight on and bounce off the edges."""
    pictures = st.read(
        root() / "modalities" / "images" / "mnist_t10k-images-idx3-ubyte.gz",
        kind="images",
        patch=28,
    )
    cut, end = DIGITS_UP_TO[quarters]
    pool = pictures[cut:end] if test else pictures[:cut]
    rng = np.random.default_rng(int(test))
    digits = pool.steps.reshape(-1, 28, 28)[:, ::2, ::2]
    clips = np.stack([_moving(digits, size, rng) for _ in range(count)])
    flat = clips.reshape(count, FRAMES, -1).transpose(0, 2, 1)
    return replace(st.SeriesSet.of(flat), kind=Film(height=size[0], width=size[1], rate=25.0))


def _moving(
    digits: Float32[np.ndarray, "D 14 14"], size: tuple[int, int], rng: np.random.Generator
) -> Float32[np.ndarray, "T H W"]:
    """One clip; smaller frames are means of pixels."""
    clip = np.zeros((FRAMES, *SIZE), np.float32)
    room = np.array(SIZE) - digits.shape[1]
    for digit in digits[rng.integers(len(digits), size=2)]:
        at, way = rng.uniform(0, room), rng.normal(size=2)
        way *= rng.uniform(1, 3) / np.linalg.norm(way)
        for frame in clip:
            row, column = at.astype(int)
            there = frame[row : row + _SHIFT, column : column + _SHIFT]
            np.maximum(there, digit, out=there)
            at = at + way
            way = np.where((at < 0) | (at > room), -way, way)
            at = np.clip(np.where(at > room, 2 * room - at, np.abs(at)), 0, room)
    (high, wide), (H, W) = np.array(SIZE) // size, size
    return clip.reshape(FRAMES, H, high, W, wide).mean(axis=(2, 4))


def films(
    size: tuple[int, int] = SIZE, quarters: int = 3
) -> dict[str, tuple[SeriesSet, SeriesSet]]:
    """Clips to learn from and clips to judge, of each film."""
    names = {"bikes": "bikes.mp4", "big buck bunny": "bigbuckbunny.mp4"}
    return {name: film_clips(file, size, quarters) for name, file in names.items()}


def digits_that_move(
    count: int = DIGITS, size: tuple[int, int] = SIZE, quarters: int = 3
) -> dict[str, tuple[SeriesSet, SeriesSet]]:
    """Clips to learn from and 200 clips to judge, of digits that move."""
    own, judged = (
        moving_digits(many, size, test=test, quarters=quarters)
        for many, test in ((count, False), (200, True))
    )
    return {"moving digits": (own, judged)}


def sources() -> dict[str, tuple[SeriesSet, SeriesSet]]:
    """Clips to learn from and clips to judge, of films and of digits that move."""
    return films() | digits_that_move()


def together(parts: list[SeriesSet]) -> SeriesSet:
    """Clips of all sources, each source repeated until it has about as many as the others."""
    most = max(map(len, parts))
    values = [np.tile(part.values, (max(most // len(part), 1), 1, 1)) for part in parts]
    return replace(st.SeriesSet.of(np.concatenate(values)), kind=parts[0].kind)


def network_of(task: str, series: SeriesSet, seed: int) -> Encoder:
    """The encoder that a task is learned with."""
    size = {"channels": series.n_channels, "length": FRAMES, "seed": seed}
    if task != "next_step":
        name = "gru" if task == "segment_order" else "frames_small"
        return build_encoder(name, kind=series.kind, **size)
    frames = embedder_for(series.kind, **size)
    return Embedded(
        embedder=frames, encoder=GRU(channels=frames.dim, hidden=320, causal=True, seed=seed)
    )


def taught(name: str, series: SeriesSet, steps: int, *, seed: int = 0, **more: Any) -> Learned:
    """A named objective, with more settings, after it has learned from clips."""
    encoder = network_of(name, series, seed)
    settings = settings_for(OBJECTIVES[name], series.kind) | more
    if name == "segment_order":
        settings["segments"] = 3
    if name == "next_step":
        settings["frame"] = 1
    objective = OBJECTIVES[name](encoder=encoder, seed=seed, **settings)
    return learn(objective, series, steps, seed=seed)


@torch.inference_mode()
def right_orders(learned: Learned, test: SeriesSet) -> Figures:
    """Share of right orders told from wrong ones of the same clip, and of orders told alone."""
    objective, x = learned.objective, learned.scale.apply(batch_of(test))
    pairs, alone = [], []
    for draw in range(DRAWS):
        z = embed_pieces(objective.encoder, pieces_of(x, 5, objective.gap, generator(1, draw)), 5)
        right, early, late = (
            objective.scores(z, torch.full((len(z),), middle)) for middle in (2, 0, 4)
        )
        pairs.append(((right > early).double() + (right > late).double()) / 2)
        wrong = ((early < 0).double() + (late < 0).double()) / 2
        alone.append(((right > 0).double() + wrong) / 2)
    return {
        "of two orders": share(torch.stack(pairs).mean(dim=0)),
        "alone": share(torch.stack(alone).mean(dim=0)),
    }


@torch.inference_mode()
def orders_of_three(learned: Learned, test: SeriesSet) -> list[float]:
    """Share of clips whose three segments are put in their order exactly; chance is a sixth."""
    objective, x = learned.objective, learned.scale.apply(batch_of(test))
    orders = torch.tensor(list(permutations(range(3))))  # (6,3), the first is the true one
    right = []
    for draw in range(DRAWS):
        pieces = pieces_of(x, 3, objective.gap, generator(2, draw))
        z = embed_pieces(objective.encoder, pieces, 3)
        scores = objective.head(z, valid_pieces(x, pieces, 3)).log_softmax(dim=2)  # (B,3,3)
        total = scores[:, torch.arange(3), orders].sum(dim=2)  # (B,6)
        right.append((total.argmax(dim=1) == 0).double())
    return share(torch.stack(right).mean(dim=0))


@torch.inference_mode()
def arrows(learned: Learned, test: SeriesSet) -> list[float]:
    """Share of clips whose direction is told right."""
    objective, x = learned.objective, learned.scale.apply(batch_of(test))
    rows = [objective(x, generator(3, draw)).parts["accuracy"] for draw in range(DRAWS)]
    mean = float(torch.stack(rows).mean())
    return [round(mean, 4), round((mean * (1 - mean) / len(test)) ** 0.5, 4)]


@torch.inference_mode()
def next_frames(learned: Learned, test: SeriesSet) -> Figures:
    """Squared error of the next frame, and of the last frame repeated; pixels from 0 to 1."""
    objective, x = learned.objective, learned.scale.apply(batch_of(test))
    wanted = frames_after(x, 1, 1)  # (B,T,C,1)
    last = x.values.transpose(1, 2)[..., None]
    made = objective.head(objective.encoder(x)) + (last if objective.change else 0)
    units = float(learned.scale.sd[0]) ** 2

    def error(guess: Float[Tensor, "B T C 1"]) -> float:
        return units * float(((guess - wanted.values) ** 2)[wanted.observed].mean())

    own, repeated = error(made), error(last)
    return {"next_step": round(own, 5), "last frame": round(repeated, 5),
            "ratio": round(repeated / own, 3)}  # fmt: skip


class Task(NamedTuple):
    """How a task is judged, and for how many steps it is learned.

    One network learns from all clips, or, where ``film_steps`` are given, one from films and one
    from more digits, in small frames: digits that move can be made without end, films cannot.
    """

    ask: Callable[[Learned, SeriesSet], Any]
    steps: int
    film_steps: int | None = None


ASKED = {
    "right_order": Task(right_orders, 600),
    "segment_order": Task(orders_of_three, 1000, film_steps=200),
    "arrow_of_time": Task(arrows, 400),
    "next_step": Task(next_frames, 1000, film_steps=100),
}


def measured(*, seed: int, tasks: tuple[str, ...] = tuple(ASKED)) -> Figures:
    """All figures of films, judged on each."""
    figures: Figures = {}
    for name in tasks:
        task, told, seconds = ASKED[name], {}, 0.0
        if task.film_steps is None:
            lessons = [(sources(), task.steps, {})]
        else:
            digits = digits_that_move(MORE_DIGITS, SMALL)
            lessons = [(films(SMALL), task.film_steps, {}), (digits, task.steps, {"view": same})]
        for found, steps, more in lessons:
            series = together([own for own, _ in found.values()])
            learned = taught(name, series, steps, seed=seed, **more)
            seconds += learned.seconds
            told |= {source: task.ask(learned, test) for source, (_, test) in found.items()}
        figures[name] = {"seconds": round(seconds, 1)} | told
        print(f"  {name:16s}", figures[name], flush=True)
    return figures
