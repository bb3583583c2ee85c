"""The audit of views: labels that a view destroys are found lost, others are not."""

import inspect
from dataclasses import replace

import numpy as np
import pytest
import torch

import selftime as st
from selftime.data.batch import Batch
from selftime.data.pixels import pixels_to_patches
from selftime.data.signals import Images
from selftime.data.splits import folds_by_class
from selftime.report.pictures.audit import audit_notes, audit_picture, audit_table
from selftime.tasks.audit import views as invariance
from selftime.tasks.audit.advice import (
    CONFUSES,
    DESTROYS,
    SAFE,
    UNCHANGED,
    WEAKLY,
    Effect,
    Invariance,
    ViewAudit,
)
from selftime.tasks.comparison.gain import Gain
from selftime.tasks.probing.probe import Probe
from selftime.views.mild import Mild
from selftime.views.registry import VIEW_STRENGTHS, VIEWS, strengths_for


def ramps(n: int = 24) -> st.SeriesSet:
    """Rising and falling lines; direction is all that tells them."""
    rng = np.random.default_rng(0)
    t = np.linspace(-1, 1, 30)
    kinds = np.repeat(["falls", "rises"], n)
    slope = np.repeat([-1.0, 1.0], n)[:, None] * rng.uniform(0.8, 1.2, (2 * n, 1))
    return st.SeriesSet.of(slope * t + 0.05 * rng.normal(size=(2 * n, 30)), kinds)


def waves(n: int = 24) -> st.SeriesSet:
    """Slow and fast sine waves of any phase: neither sign nor direction tells them apart."""
    rng = np.random.default_rng(1)
    speed = np.repeat([2.0, 5.0], n)[:, None]
    turns = speed * np.linspace(0, 1, 40) + rng.uniform(size=(2 * n, 1))
    return st.SeriesSet.of(
        np.sin(2 * np.pi * turns) + 0.05 * rng.normal(size=(2 * n, 40)),
        np.repeat(["slow", "fast"], n),
    )


@pytest.fixture
def few(monkeypatch):
    """Only some of the views, for tests that do not ask about the others."""
    some = {name: VIEW_STRENGTHS[name] for name in ("flip", "jitter", "rotate")}
    monkeypatch.setattr(invariance, "strengths_for", lambda kind: some)


def of(found: Invariance, name: str) -> ViewAudit:
    return next(audit for audit in found.views if audit.name == name)


@pytest.fixture(scope="module")
def on_ramps() -> Invariance:
    return st.inspect_views(ramps())


@pytest.mark.late
def test_on_ramps_flip_and_reverse_destroy_labels_and_nothing_else_does(on_ramps):
    lost = {audit.name for audit in on_ramps.views if audit.verdict == DESTROYS}
    assert lost == {"flip", "reverse"}
    assert {audit.name for audit in on_ramps.views[:2]} == lost, "the worst come first"
    assert [line.split()[0] for line in on_ramps.warnings()] == [a.name for a in on_ramps.views[:2]]
    assert on_ramps.nearest == on_ramps.probe == 1.0 and on_ramps.classes == 2
    assert of(on_ramps, "rotate").verdict == UNCHANGED  # one channel
    assert {audit.name for audit in on_ramps.views} == set(VIEWS)


@pytest.mark.late
def test_on_frequencies_flip_and_reverse_are_safe(monkeypatch):
    names = ("flip", "reverse", "smooth")
    monkeypatch.setattr(
        invariance, "strengths_for", lambda kind: {name: VIEW_STRENGTHS[name] for name in names}
    )
    found = st.inspect_views(waves())
    assert of(found, "flip").verdict == of(found, "reverse").verdict == SAFE
    assert not found.warnings()


@pytest.mark.late
def test_a_seed_fixes_everything_and_series_stay_untouched(few):
    series = ramps(12)
    before, world = series.fingerprint(), torch.get_rng_state()
    first, second = st.inspect_views(series, seed=3), st.inspect_views(series, seed=3)
    assert first == second and first != st.inspect_views(series, seed=4)
    assert series.fingerprint() == before and torch.equal(torch.get_rng_state(), world)


@pytest.mark.parametrize(
    ("labels", "why"),
    [
        (None, "there are no labels"),
        (["a"] * 12, "all labels are the same"),
        (list("aaaaaaaaaabc"), "fewer than 2 classes have 2 series or more"),
    ],
)
def test_without_usable_labels_their_columns_are_left_out(few, labels, why):
    found = st.inspect_views(replace(ramps(6), labels=None if labels is None else np.array(labels)))
    assert found.note == why and found.classes == 0 and found.probe is None
    assert all(not e.drops for audit in found.views for e in audit.effects)
    assert f"Labels were not used: {why}." in audit_notes(found)
    names = [column.header for column in audit_table(found).renderables[0].columns]
    assert names == ["view", "at", "itself", "suggestion"]
    assert len(audit_picture(found, title="t").axes) == 1
    assert of(found, "flip").verdict == CONFUSES  # neighbours alone decide


def test_one_series_is_refused():
    with pytest.raises(
        st.SeriesError, match="got 1 series, wanted at least 2: cut it into windows"
    ):
        st.inspect_views(ramps()[:1])


@pytest.mark.parametrize("n", [2, 3])
def test_a_handful_of_ragged_series_with_gaps(few, n):
    rng = np.random.default_rng(0)
    x = [rng.normal(size=(2, T)) for T in (1, 9, 30, 12)[: n + 1]]
    x[1][0, 3:] = np.nan
    labels = ["a", "b", "a", "b"][: n + 1]
    found = st.inspect_views(st.SeriesSet.of(x, labels))
    assert found.series == n + 1 and found.classes == (2 if n == 3 else 0)


def test_groups_are_held_out_whole_and_classes_spread_evenly():
    rng = np.random.default_rng(0)
    labels = np.repeat(["a", "b"], [40, 10])
    folds = folds_by_class(labels, None, 5, rng)
    for f in range(5):
        assert (folds == f).sum() == 10 and (labels[folds == f] == "b").sum() == 2
    groups = rng.integers(0, 12, 50)
    folds = folds_by_class(labels, groups, 5, rng)
    assert set(folds) == set(range(5))
    assert all(len(set(folds[groups == g])) == 1 for g in groups)


def test_coordinates_keep_inner_products_and_the_quick_probe_is_the_probe(np_rng):
    features = torch.randn(20, 300, generator=torch.Generator().manual_seed(0))
    z = invariance.gram_coordinates(features)
    np.testing.assert_allclose(z @ z.T, features @ features.T, atol=1e-3)
    train, test = np_rng.normal(size=(30, 7)), np_rng.normal(size=(40, 7))
    labels = np_rng.choice(list("abc"), 30)
    want = Probe().fit(train, labels).predict(test)
    assert (invariance.fit_frozen(train, labels, test) == want).all()


def test_a_series_is_never_judged_by_its_own_fold():
    """A twin in the same fold is no help."""
    vectors = np.array([[1.0, 0], [1, 0.01], [-1, 0], [-1, 0.01]])
    labels, folds = np.array(["a", "a", "b", "b"]), np.array([0, 0, 1, 1])
    cosines = invariance.similarity(vectors, vectors)
    assert not invariance.nearest_right(labels, folds, cosines).any()
    assert not invariance.probe_right(labels, folds, [vectors], vectors).any()
    assert invariance.nearest_right(labels, np.array([0, 1, 0, 1]), cosines).all()


def test_what_a_view_changed_includes_what_is_observed():
    x = Batch(torch.ones(3, 1, 4), torch.ones(3, 1, 4, dtype=torch.bool))
    values, observed = x.values.clone(), x.observed.clone()
    values[0, 0, 2], observed[1, 0, 1] = 5.0, False
    assert invariance.changed_series(x, Batch(values, observed)).tolist() == [True, True, False]
    hidden = x.values.clone()
    hidden[1, 0, 1] = 9.0
    a, b = Batch(hidden, observed), Batch(values, observed)
    assert invariance.changed_series(a, b).tolist() == [True, False, False]


def audit(*effects: Effect, keyword: str = "strength") -> ViewAudit:
    return ViewAudit(name="v", keyword=keyword, effects=effects)


def effect(amount: float, agreement: float, drop: tuple[float, float, float] | None) -> Effect:
    gain = Gain(*drop) if drop else None
    return Effect(amount=amount, changed=1.0, agreement=agreement, nearest=gain, relearned=gain)


NONE, TINY, SMALL = (0.0, 0.0, 0.0), (0.5, 0.1, 0.9), (5.0, 2.0, 8.0)
CLEAR, WIDE = (9.0, 2.1, 16.0), (4.0, -4.0, 12.0)


def test_rules_without_labels():
    fine, bad = effect(0.1, 0.95, None), effect(0.2, 0.94, None)
    assert audit(fine).verdict == SAFE and audit(bad).verdict == CONFUSES
    assert audit(fine, bad).suggestion == "use weakly: strength ≤ 0.1"
    assert audit(bad, fine).verdict == CONFUSES, "what is fine only where it is strong is luck"
    assert audit(effect(0.9, 1.0, None), effect(0.8, 0.1, None), keyword="least").suggestion == (
        "use weakly: least ≥ 0.9"
    )


def test_rules_with_labels():
    assert audit(effect(1, 0.0, NONE)).verdict == SAFE, "labels vouch, however far series move"
    assert audit(effect(1, 0.0, TINY)).verdict == SAFE
    assert audit(effect(1, 0.5, WIDE)).verdict == CONFUSES, "nobody vouches"
    assert audit(effect(1, 0.97, WIDE)).verdict == SAFE, "neighbours vouch"
    assert audit(effect(1, 0.97, SMALL)).verdict == SAFE, "surely above 0, not above 2 points"
    assert audit(effect(1, 1.0, CLEAR)).verdict == DESTROYS, "a clear drop is not outvoted"
    assert audit(effect(1, 1.0, NONE), effect(2, 1.0, CLEAR)).verdict == WEAKLY
    assert audit(effect(1, 0.5, WIDE), effect(2, 0.5, CLEAR)).verdict == CONFUSES
    unchanged = Effect(amount=1, changed=0.0, agreement=1.0)
    assert (
        audit(unchanged, unchanged).verdict == UNCHANGED
        and audit(unchanged, unchanged).suggested == 1
    )


def test_every_view_is_graded_with_its_default_in_the_middle():
    assert set(VIEW_STRENGTHS) == set(VIEWS)
    for name, (keyword, amounts, views) in VIEW_STRENGTHS.items():
        assert len(amounts) == len(views) and len(amounts) in (1, 3)
        view = Mild if name == "mild" else VIEWS[name]
        for word in keyword.split(", "):
            assert inspect.signature(view).parameters[word].default == amounts[len(amounts) // 2]


@pytest.mark.late
def test_the_picture_shows_every_view_and_what_is_suggested(on_ramps):
    figure = audit_picture(on_ramps, title="A title")
    words = {t.get_text() for t in figure.findobj(lambda a: hasattr(a, "get_text"))}
    assert set(VIEWS) | {"A title", DESTROYS, SAFE, "lost for good"} <= words
    assert len(figure.axes) == 4


def test_pictures_are_audited_with_views_of_pictures(monkeypatch):
    kind = Images(height=8, width=8, patch=4)
    chosen = ("mirror", "cut_out")
    some = {name: strengths_for(kind)[name] for name in chosen}
    monkeypatch.setattr(invariance, "strengths_for", lambda kind: some if kind.columns else {})
    rng = np.random.default_rng(0)
    pictures = 0.1 * rng.normal(size=(24, 8, 8))
    pictures[:12, :, 1:3] += 1  # a bar at the left, or at the right
    pictures[12:, :, 5:7] += 1
    pixels = torch.from_numpy(pictures[:, None]).float()
    patches = st.SeriesSet.of(pixels_to_patches(pixels, kind).numpy(), np.repeat(["l", "r"], 12))
    found = st.inspect_views(replace(patches, kind=kind))
    assert {audit.name for audit in found.views} == set(chosen)
    assert of(found, "mirror").verdict == DESTROYS, found.to_dict()
