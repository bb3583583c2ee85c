"""The list of methods says what each is and which papers it is from."""

import io

import numpy as np
from rich.console import Console

import selftime as st
from selftime.encoders.builders import ENCODER_NAMES
from selftime.objectives.base import FAMILIES
from selftime.objectives.registry import OBJECTIVES
from selftime.report.inspection import inspect, inspection_table
from selftime.report.methods import ENCODERS_SUIT, BenchmarkResult, papers_in
from selftime.report.tables import comparison_table, methods_table
from selftime.tasks.comparison.compare import Comparison


def printed(thing, width: int = 110) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(thing)
    return console.file.getvalue()


def test_every_name_that_can_be_chosen_is_listed():
    found = st.methods()
    assert [m.name for m in found if m.kind == "objective"] == list(OBJECTIVES)
    assert [m.name for m in found if m.kind == "encoder"] == list(ENCODER_NAMES)
    assert all(m.about.endswith(".") and "\n" not in m.about for m in found)
    spectral = next(m for m in found if m.name == "spectral")
    assert "Cabannes et al. 2023" in spectral.papers


def test_papers_are_read_from_docstrings():
    text = "As in (Ng 2001, section 2) and (Balestriero & LeCun 2022; Cabannes\net al. 2023)."
    assert papers_in(text) == ("Ng 2001", "Balestriero & LeCun 2022", "Cabannes et al. 2023")
    assert papers_in("Known (see above), since 1999, to (all 12).") == ()
    assert papers_in("As in (I-JEPA, Ng et al. 2001, section 3).") == ("Ng et al. 2001",)
    assert papers_in("First (Ng 2001), again (Ng 2001, equation 3).") == ("Ng 2001",)


def test_the_table_of_methods_shows_them_all():
    for kind, names in {"objective": OBJECTIVES, "encoder": ENCODER_NAMES}.items():
        text = printed(methods_table(st.methods(), kind), width=160)
        assert all(f" {name} " in text for name in names)


def test_every_method_says_its_family_and_when_to_take_it():
    assert set(ENCODERS_SUIT) == set(ENCODER_NAMES)
    for method in st.methods():
        assert method.suits and method.papers, method.name
        if method.kind == "objective":
            assert method.family in FAMILIES


def test_measured_figures_are_shown_beside_a_method():
    figures = BenchmarkResult(2, 9, {"1 label per class": 71.26, "all labels": 95.0}, {}, 1.52)
    shown = [st.methods()[0]._replace(measured=figures)]
    line = " ".join(printed(methods_table(shown, "objective"), width=160).split())
    assert "2 71.3 95.0 1.5x" in line
    assert shown[0].to_dict()["measured"]["rank"] == 2


def test_the_comparison_shows_accuracy_and_gain():
    right = np.ones((1, 4), bool)
    hits = {
        "selftime": {1: right},
        "untrained encoder": {1: ~right},
        "raw values": {1: np.array([[True, True, True, False]])},
    }
    lines = [" ".join(line.split()) for line in printed(
        comparison_table(Comparison((1,), hits, {1: 2}))
    ).splitlines()]  # fmt: skip
    assert "selftime 100.0 %" in lines and "raw values 75.0 %" in lines
    assert "points from learning +100.0 ± 0.0" in lines


def test_long_lists_are_cut():
    x = np.random.default_rng(0).normal(size=(30, 1, 5))
    text = " ".join(printed(inspection_table(inspect(st.SeriesSet.of(x, np.arange(30))))).split())
    assert "30 classes (series): 0 (1), 1 (1), 2 (1)" in text and "and 18 more" in text
    assert "! 30 of 30 classes have one series only: check" in text
