"""Every result draws itself, over dates where times are known."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.dates import ConciseDateFormatter, num2date
from matplotlib.figure import Figure

import selftime as st
from selftime.report.pictures.maps import embedding_map, is_simultaneous

HOURS = pd.date_range("2024-03-30", periods=300, freq="h", tz="Europe/Berlin")


def frame(shops: int = 1) -> pd.DataFrame:
    parts = [
        pd.DataFrame({"shop": f"s{k}", "ds": HOURS, "y": np.sin(np.arange(300) / 4) + k})
        for k in range(shops)
    ]
    return pd.concat(parts)


def texts(figure: Figure) -> str:
    return " ".join(text.get_text() for text in figure.findobj(lambda a: hasattr(a, "get_text")))


def span(axes) -> tuple[str, str]:
    """The first and the last moment of an axis, as the clock on the wall shows them."""
    low, high = (num2date(x).strftime("%Y-%m-%d %H:%M") for x in axes.dataLim.intervalx)
    return low, high


@pytest.mark.parametrize("shops", [1, 2])
def test_series_of_one_time_stand_over_dates(shops):
    figure = st.read(frame(shops)).plot()
    assert span(figure.axes[0]) == ("2024-03-30 00:00", "2024-04-11 12:00")  # an hour was skipped
    assert isinstance(figure.axes[0].xaxis.get_major_formatter(), ConciseDateFormatter)
    assert "clock of Europe/Berlin" in texts(figure)


def test_series_of_other_times_stand_over_steps():
    early, late = frame(), frame().assign(shop="late")
    late["ds"] += pd.Timedelta(days=90)
    x = st.read(pd.concat([early, late]))
    assert not is_simultaneous(x) and x.plot().axes[0].dataLim.intervalx.tolist() == [0, 299]


@pytest.mark.late
def test_forecasts_stand_over_dates():
    found = st.Forecaster(horizon=12).fit(frame(2)).forecasts()
    figure = found.plot()
    assert len(figure.axes) == 2
    assert span(figure.axes[1]) == ("2024-04-09 13:00", "2024-04-12 00:00")
    steps = st.Forecaster(horizon=12).fit(st.read(frame()).values).forecasts().plot()
    assert steps.axes[0].dataLim.intervalx.tolist() == [-47, 12]


@pytest.mark.late
def test_scores_stand_over_dates():
    whole = frame(2)
    whole.iloc[450:455, 2] = 9.0
    found = st.detect(whole)
    figure = found.plot()
    assert "recording s1" in texts(figure) and "clock of Europe/Berlin" in texts(figure)
    low, high = (num2date(x).strftime("%Y-%m-%d %H") for x in figure.axes[-1].get_xlim())
    assert (low, high) == ("2024-03-30 00", "2024-04-11 13")
    assert isinstance(st.plot(found.parts[0]), Figure)
    plain = st.detect(whole["y"].to_numpy()[None, :300]).plot()
    assert plain.axes[-1].get_xlim() == (0, 300)


@pytest.mark.late
def test_models_embeddings_evaluations_and_comparisons_have_pictures():
    train, test = (st.sample("JapaneseVowels", part)[:60:3] for part in ("train", "test"))
    model = st.pretrain(train, encoder="quantiles")
    assert "20 series" in texts(st.plot(model))
    assert "20 series on the first two" in texts(st.embed(model, train).plot())
    found = st.evaluate(model, st.Classifier(model).fit(train), train, test)
    words = texts(found.plot())
    assert f"{100 * found.accuracy:.1f} % right" in words and "was given" in words
    compared = st.compare(model, train, test, labels_per_class=1, draws=2)
    assert "untrained encoder" in texts(compared.plot())
    table = compared.to_pandas()
    assert table["accuracy"].tolist() == [compared.accuracy(name, 1) for name in compared.names]
    assert (
        np.isnan(table["ahead"][0])
        and table["ahead"][1] == compared.gain(table["row"][1], 1).points
    )
    assert repr(compared).startswith("Comparison(selftime, untrained encoder")
    card = model.to_polars()
    assert card.columns == ["section", "name", "value"] and "channels" in card["name"].to_list()
    assert "Model(channels=12" in model._repr_html_()
    columns = found.to_columns()
    assert (columns["label"] == found.classes[found.truth]).all() and len(columns["p_1"]) == 20
    assert f"{len(found.ids):,} rows" in repr(found) and "<table>" in found._repr_html_()


def test_what_has_no_picture_is_refused():
    with pytest.raises(TypeError, match="got list, wanted one of Backtest, Clusters, Comparison"):
        st.plot([1, 2])


@pytest.mark.late
def test_predictions_stand_by_class_and_sureness():
    series = st.sample("JapaneseVowels", "train")[:90:3]
    model = st.pretrain(series, encoder="quantiles")
    classifier = st.Classifier(model).fit(series)
    wrong = [*series.labels[1:], None]
    figure = classifier.predictions(st.read(series, labels=wrong)).plot()
    told = texts(figure)
    assert "30 predictions" in told and "of 29 whose label is another" in told
    assert [t.get_text() for t in figure.axes[0].get_yticklabels()] == ["1", "2", "3"]
    values = st.Regressor(model).fit(series, np.arange(30.0)).predictions(series).plot()
    assert values.axes[0].dataLim.intervalx[1] > 20 and "Predicted values" in texts(values)


@pytest.mark.late
@pytest.mark.parametrize(
    "name, drawn", [(r"$\frac{1}{0$", r"$\frac{1}{0$"), ("a$b$_x\x1b\udc80", r"a$b$_x\u001b\udc80")]
)
def test_names_are_drawn_as_they_are(name, drawn, tmp_path):
    """Neither as mathematics nor as what no font holds: warnings are errors here."""
    x = np.random.default_rng(0).normal(size=(6, 2, 40)).cumsum(axis=2)
    names = {"ids": [f"{name}{i}" for i in range(6)], "channels": [name, f"{name}2"]}
    series = st.SeriesSet.of(x, [f"{name}{i % 2}" for i in range(6)], **names)
    figures = [st.plot(series), st.plot(st.detect(series[:1], train_end=20))]
    figures.append(embedding_map(x[:, 0], series, title=name))
    for figure in figures:
        assert drawn in texts(figure)
        for suffix in ("png", "svg", "pdf"):
            figure.savefig(tmp_path / f"a.{suffix}")


def test_a_run_folder_names_what_it_holds(tmp_path):
    series = st.sample("PenDigits")[:20]
    st.pretrain(series, encoder="quantiles", run=tmp_path / "run")
    assert repr(st.read_run(tmp_path / "run")) == f"RunFolder('{tmp_path / 'run'}', finished: run)"
