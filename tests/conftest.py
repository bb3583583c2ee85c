"""What every test stands on: types checked on first calls, seeded randomness, the open data."""

import gc
import os
import sys
from collections.abc import Iterator
from pathlib import Path

# Read once, when matplotlib is first imported, so it comes before all imports.
os.environ.setdefault("MPLBACKEND", "Agg")

from checked_calls import CheckedCalls, begin_test  # noqa: E402
from hypothesis import HealthCheck, settings  # noqa: E402
from jaxtyping import config as type_checks  # noqa: E402

if not os.environ.get("SELFTIME_UNCHECKED"):
    sys.meta_path.insert(0, CheckedCalls())

import numpy as np  # noqa: E402
import pytest  # noqa: E402
import torch  # noqa: E402

# The laws of the contract suite assert outside test files; their failures should show values too.
pytest.register_assert_rewrite("encoder_laws", "objective_laws")

# Deadlines measure the machine, not the code; drawn examples are the same in every run.
usual = settings(deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("thorough", usual)  # 100 examples a law
settings.register_profile("selftime", usual, max_examples=25)
settings.register_profile("quick", usual, max_examples=12)  # before each commit
settings.load_profile("selftime")


def pytest_configure(config: pytest.Config) -> None:
    """One thread in each of several processes: more would only wait for one another.

    Said here, where the processes are not yet started: numpy reads it when it is first imported,
    which plugins do before this file is read.
    """
    if getattr(config.option, "numprocesses", None):
        for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
            os.environ.setdefault(name, "1")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes long by itself begins first, with the others beside it and not waiting behind."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


def pytest_collection_finish() -> None:
    """Modules and tests stay to the end: garbage is not looked for among them again and again."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Types are checked on first calls, save in tests that repeat what others call under checks."""
    begin_test()
    repeats = any(item.get_closest_marker(name) for name in ("slow", "again"))
    type_checks.update("jaxtyping_disable", repeats)
    return (yield)


@pytest.fixture(scope="session")
def data_root() -> Path:
    """The folder of open data sets; tests that need it are skipped where it is not there."""
    given = os.environ.get("SELFTIME_DATA")
    root = Path(given or Path(__file__).parents[2] / "shared" / "data")
    if root.is_dir():
        return root
    if given:
        pytest.fail(f"SELFTIME_DATA={given} is not a folder: point it at the data or unset it")
    pytest.skip(f"open data not found at {root}: set SELFTIME_DATA to its folder to run this test")


@pytest.fixture
def rng() -> torch.Generator:
    """Randomness for torch, the same in every test."""
    return torch.Generator().manual_seed(20)


@pytest.fixture
def np_rng() -> np.random.Generator:
    """Randomness for numpy, the same in every test."""
    return np.random.default_rng(20)
