"""Film: order, direction and next frames, on two films and on digits that move."""

from dataclasses import replace
from itertools import permutations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

import selftime as st
from benchmarks.open_data import root
from benchmarks.signals_common import Figures, Learned, learn, share
from selftime.data.series import SeriesSet
from selftime.data.signals import Film
from selftime.data.windows import batch_of
from selftime.encoders.builders import build_encoder
from selftime.engine.solve import generator
from selftime.objectives.formula import build_objective, settings_for
from selftime.objectives.next_step import frames_after
from selftime.objectives.segment_order import SegmentOrder, embed_pieces, pieces_of, valid_pieces

FRAMES = 20
"""Of a clip."""
GAP = 4
"""Frames between the part of a film that is learned from and the part that is judged."""
SIZE = (36, 64)
DIGITS = 2000
STEPS = {"right_order": 600, "segment_order": 1200, "arrow_of_time": 400, "next_step": 800}
DRAWS = 10
"""Each clip is judged so many times, in pieces that lie elsewhere."""
_SHIFT = 14


def film_clips(name: str) -> tuple[SeriesSet, SeriesSet]:
    """Overlapping clips of the first three quarters of a film, and of the last quarter."""
    film = st.read(root() / "modalities" / "video" / name, kind="film", size=SIZE)
    grey = film.series(0).reshape(film.kind.colours, -1, film.lengths[0]).mean(axis=0)  # (H·W,T)
    cut = film.lengths[0] * 3 // 4
    kind = replace(film.kind, colours=1)
    parts = (grey[:, :cut], 1), (grey[:, cut + GAP :], 2)
    made = []
    for part, stride in parts:
        one = replace(st.SeriesSet.of([part]), kind=kind)
        made.append(st.windows(one, FRAMES, stride=stride).select())
    return made[0], made[1]


def moving_digits(count: int, *, test: bool) -> SeriesSet:
    """Clips in which two digits of MNIST move straight on and bounce off the edges."""
    pictures = st.read(
        root() / "modalities" / "images" / "mnist_t10k-images-idx3-ubyte.gz",
        kind="images",
        patch=28,
    )
    pool = pictures[8000:] if test else pictures[:8000]
    rng = np.random.default_rng(int(test))
    digits = pool.steps.reshape(-1, 28, 28)[:, ::2, ::2]
    room = np.array(SIZE) - digits.shape[1]
    clips = np.zeros((count, FRAMES, *SIZE), np.float32)
    for clip in clips:
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
    flat = clips.reshape(count, FRAMES, -1).transpose(0, 2, 1)
    return replace(st.SeriesSet.of(flat), kind=Film(height=SIZE[0], width=SIZE[1], rate=25.0))


def sources() -> dict[str, tuple[SeriesSet, SeriesSet]]:
    """Clips to learn from and clips to judge, of each film."""
    return {
        "bikes": film_clips("bikes.mp4"),
        "big buck bunny": film_clips("bigbuckbunny.mp4"),
        "moving digits": (moving_digits(DIGITS, test=False), moving_digits(200, test=True)),
    }


def together(parts: list[SeriesSet]) -> SeriesSet:
    """Clips of all sources, each source repeated until it has about as many as the others."""
    most = max(map(len, parts))
    values = [np.tile(part.values, (max(most // len(part), 1), 1, 1)) for part in parts]
    return replace(st.SeriesSet.of(np.concatenate(values)), kind=parts[0].kind)


def taught(name: str, series: SeriesSet, encoder: str, seed: int) -> Learned:
    """A named objective after it has learned from clips."""
    body = build_encoder(
        encoder, kind=series.kind, channels=series.n_channels, length=FRAMES, seed=seed
    )
    objective = build_objective(name, body, kind=series.kind, seed=seed, length=FRAMES)
    if name == "segment_order":
        settings = settings_for(SegmentOrder, series.kind)
        objective = SegmentOrder(encoder=body, segments=3, seed=seed, **settings)
    return learn(objective, series, STEPS[name], seed=seed)


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


ASKED = {
    "right_order": ("frames_small", right_orders),
    "segment_order": ("frames_small", orders_of_three),
    "arrow_of_time": ("frames_small", arrows),
    "next_step": ("dilated_causal", next_frames),
}


def measured(*, seed: int, tasks: tuple[str, ...] = tuple(ASKED)) -> Figures:
    """All figures of films: one network for all sources, judged on each."""
    found = sources()
    series = together([own for own, _ in found.values()])
    figures: Figures = {}
    for name in tasks:
        encoder, ask = ASKED[name]
        learned = taught(name, series, encoder, seed)
        asked = {source: ask(learned, test) for source, (_, test) in found.items()}
        figures[name] = {"seconds": round(learned.seconds, 1)} | asked
        print(f"  {name:16s}", figures[name], flush=True)
    return figures
