"""Damaged data files, a short form of benchmarks/hostile.py: series, or an error of one line."""

import numpy as np
import pytest
from benchmarks.hostile import read_file
from benchmarks.hostile_material import data_files
from benchmarks.hostile_mutations import damage_file

CASES = 160


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    return data_files(tmp_path_factory.mktemp("sound"), small=True)


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, CASES, 40))
def test_damaged_files_are_refused_or_read(sound, tmp_path, first):
    for seed in range(first, first + 40):
        name = list(sound)[seed % len(sound)]
        path = tmp_path / f"{seed}-{name}"
        damage_file(path, sound[name], np.random.default_rng(seed))
        assert read_file(path).startswith(("worked", "refused: "))


@pytest.mark.slow
def test_files_are_read_before_they_are_damaged(sound, tmp_path):
    for name, data in sound.items():
        (tmp_path / name).write_bytes(data)
        assert read_file(tmp_path / name) == "worked", name
