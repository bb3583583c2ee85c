"""The public door alone: from unlabelled series to a result; every name shows an example."""

import doctest
import warnings

import numpy as np
import pytest

import selftime as st

NAMES = [name for name in st.__all__ if name != "__version__"]
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def examples_of(name: str) -> list[doctest.DocTest]:
    """The examples of a public name and of its methods, each with names of its own."""
    found = doctest.DocTestFinder().find(getattr(st, name), name, globs={})
    return [test for test in found if test.examples]


@pytest.mark.late
@pytest.mark.again
def test_from_unlabelled_series_to_a_result(tmp_path):
    train = st.sample("JapaneseVowels", "train")
    test = st.sample("JapaneseVowels", "test")[::5]
    model = st.pretrain(train, encoder="quantiles", run=tmp_path / "run")
    vectors = model.embed(test)
    assert vectors.shape == (len(test), model.dim) and np.isfinite(vectors).all()
    few = train[::10]
    classifier = st.Classifier(model).fit(few, few.labels)
    found = st.evaluate(model, classifier, few, test)
    assert found.accuracy == classifier.score(test, test.labels) > 0.5
    assert st.find_leaks(model, few, test).seen == 0
    again = st.load(tmp_path / "run")
    np.testing.assert_array_equal(again.embed(test), vectors)
    run = st.read_run(tmp_path / "run")
    assert run.run["data"]["series"] == len(train)
    assert run.write_report(train=train).name == "report.html"


@pytest.mark.parametrize("name", NAMES)
def test_a_public_name_shows_an_example(name):
    found = doctest.DocTestFinder(recurse=False).find(getattr(st, name), name, globs={})
    assert any(test.examples for test in found), f"st.{name}: no example in its docstring"


@pytest.mark.parametrize("name", NAMES)
def test_the_module_lists_every_name(name):
    listed = {word.strip(",") for word in st.__doc__.split()}
    assert name in listed


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_examples_run(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for test in examples_of(name):
            report: list[str] = []
            found = doctest.DocTestRunner(optionflags=OPTIONS).run(test, out=report.append)
            assert found.failed == 0, "".join(report)
