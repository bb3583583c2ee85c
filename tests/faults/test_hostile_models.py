"""Mutated model folders, a short form of benchmarks/hostile.py: our own errors, or vectors."""

import shutil

import numpy as np
import pytest
from benchmarks.hostile import use_folder
from benchmarks.hostile_material import model_folders
from benchmarks.hostile_mutations import SECRET, damage_folder

CASES = 80


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    return model_folders(tmp_path_factory.mktemp("sound"), small=True)


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, CASES, 40))
def test_mutated_folders_are_refused_or_work(sound, tmp_path, first):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.txt").write_text(SECRET)
    for seed in range(first, first + 40):
        name = list(sound)[seed % len(sound)]
        folder = tmp_path / f"{seed}-{name}"
        shutil.copytree(sound[name], folder)
        damage_folder(folder, np.random.default_rng(seed), list(sound.values()), tmp_path)
        said = use_folder(folder)
        assert said.startswith(("worked", "refused: ")) and SECRET not in said
        if said.startswith("refused"):
            assert str(folder) in said or "wanted" in said
    assert (outside / "secret.txt").read_text() == SECRET
    assert [path.name for path in outside.iterdir()] == ["secret.txt"]


@pytest.mark.slow
def test_folders_work_before_they_are_mutated(sound):
    assert {use_folder(folder) for folder in sound.values()} == {"worked"}
