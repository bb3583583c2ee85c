"""What workers of a cluster do in tests; they import it, so it stands in a module of its own."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import selftime as st
from selftime.encoders.base import Encoder
from selftime.objectives.base import Objective, Recipe, Step

ROOT = Path(__file__).parents[2]
STEPS, DIES_AT = 12, 5


@contextmanager
def workers_here(count: int) -> Iterator[st.Ray]:
    """Workers on this machine, which import this tree; all that is done meanwhile joins them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join((str(ROOT / "src"), str(Path(__file__).parent))))
        patch.setenv("CUDA_VISIBLE_DEVICES", "")
        with st.Ray(workers=count).join():
            yield st.Ray(workers=count)


def die_once(grave: str) -> None:
    """Kill this process, unless one died here before."""
    if not os.path.exists(grave):
        Path(grave).touch()
        os.kill(os.getpid(), signal.SIGKILL)


@dataclass(frozen=True)
class Mortal:
    """The vectors of a model; the first worker that comes to a series with such an id dies."""

    model: st.Model
    id: str
    grave: str

    def __call__(self, series: st.SeriesSet) -> Any:
        """Return the table of some series."""
        if any(str(id).startswith(self.id) for id in series.ids):
            die_once(self.grave)
        return st.embed(self.model, series, progress=False)


class MortalObjective(Objective):
    """Vectors should have a mean of 1; the last of several processes dies once."""

    family, suits = "pretext", "tests"
    recipe = Recipe(batch_size=6)

    def __init__(self, *, encoder: Encoder, grave: str) -> None:
        super().__init__()
        self.encoder, self.grave, self.calls = encoder, grave, 0

    def forward(self, batch: Any, rng: Any) -> Step:  # noqa: ARG002
        """Return the loss of a batch."""
        self.calls += 1
        if os.environ.get("RANK") == "1" and self.calls == DIES_AT:
            die_once(self.grave)
        vectors = self.encoder.embed(batch)
        loss = (vectors.mean(dim=1) - 1).square().mean()
        return Step(loss, {}, vectors.detach())


def waves(count: int, steps: int = 60) -> st.SeriesSet:
    """Waves of two speeds with noise, and their classes."""
    rng = np.random.default_rng(5)
    kinds = np.arange(count) % 2
    phases = rng.uniform(0, 6, (count, 1, 1))
    x = np.sin((1 + kinds)[:, None, None] * np.arange(steps) / 4 + phases)
    x = x + 0.1 * rng.normal(size=x.shape)
    return st.SeriesSet.of(x, np.array(["a", "b"])[kinds], ids=[f"w{i}" for i in range(count)])
