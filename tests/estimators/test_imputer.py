"""The imputer as an estimator: what comes in comes out, in its kind, order, names and types."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.pipeline import make_pipeline

import selftime as st


@pytest.fixture(scope="module")
def frame():
    """Two machines, rows from last to first, with holes, a count, and a column of 32 bits."""
    t = np.arange(60)
    made = pd.DataFrame(
        {
            "machine": np.repeat(["b", "a"], 60),
            "ds": list(pd.date_range("2024-01-01", periods=60)[::-1]) * 2,
            "heat": np.r_[np.sin(t / 4), np.cos(t / 4)],
            "load": np.arange(120),
            "flow": np.r_[np.cos(t / 4), np.sin(t / 4)].astype(np.float32),
        },
        index=range(100, 220),
    )
    made.loc[110:120, "heat"] = np.nan
    made.loc[150, "flow"] = np.nan
    return made


def imputer(**how):
    return st.Imputer(progress=False, **how)


def test_frames_come_back_as_they_came(frame):
    made = imputer().fit_transform(frame)
    assert isinstance(made, pd.DataFrame) and made.index.equals(frame.index)
    assert (made.dtypes == frame.dtypes).all() and not made.isna().any().any()
    seen = frame.notna()
    assert made.where(seen).equals(frame.where(seen))
    polars = imputer().fit_transform(pl.from_pandas(frame))
    assert isinstance(polars, pl.DataFrame) and polars.columns == list(frame.columns)
    np.testing.assert_array_equal(polars["heat"].to_numpy(), made["heat"].to_numpy())
    arrow = imputer().fit_transform(pa.Table.from_pandas(frame, preserve_index=False))
    assert arrow.column_names == list(frame.columns) and arrow["flow"].null_count == 0


@pytest.mark.late
def test_rows_in_any_order_are_the_same(frame):
    made = imputer().fit_transform(frame)
    shuffled = frame.sample(frac=1, random_state=0)
    other = imputer().fit_transform(shuffled)
    assert other.index.equals(shuffled.index)
    pd.testing.assert_frame_equal(other.loc[frame.index], made, rtol=0.2)  # other draws of ids


@pytest.mark.late
def test_arrays_lists_series_and_sets_come_back_as_they_came():
    x = np.random.default_rng(0).normal(size=(4, 2, 50)).cumsum(axis=-1).astype(np.float32)
    x[1, 0, 10:14] = np.nan
    assert imputer().fit_transform(x).dtype == np.float32
    rows = imputer().fit_transform(x[:, 0])
    assert rows.shape == (4, 50) and np.isfinite(rows).all()
    parts = [x[0], x[1, :, :30]]
    made = imputer().fit_transform(parts)
    assert [one.shape for one in made] == [(2, 50), (2, 30)] and np.isfinite(made[1]).all()
    series = imputer().fit_transform(st.SeriesSet.of(x, labels=list("abab")))
    assert series.observed is None and series.labels.tolist() == list("abab")
    column = pd.Series(x[1, 0], name="heat", index=range(7, 57))
    back = imputer().fit_transform(column)
    assert isinstance(back, pd.Series) and back.name == "heat" and back.index[0] == 7
    assert back.notna().all()


def test_frames_of_a_row_a_series_come_back_too():
    x = np.random.default_rng(1).normal(size=(6, 40)).cumsum(axis=1)
    x[2, 5:9] = np.nan
    wide = pd.DataFrame(x, columns=[f"t{k}" for k in range(40)])
    wide.insert(0, "id", list("uvwxyz"))
    made = imputer().fit_transform(wide)
    assert list(made.columns) == list(wide.columns) and made.notna().all().all()
    assert made.where(wide.notna()).equals(wide)


@pytest.mark.late
def test_deviations_stand_where_values_were_filled_in(frame):
    made, std = imputer().fit(frame).transform(frame, return_std=True)
    assert (std.loc[frame["heat"].notna(), "heat"] == 0).all()
    assert (std.loc[frame["heat"].isna(), "heat"] > 0).all()
    assert made["heat"].notna().all() and std["machine"].equals(frame["machine"])
    x = np.random.default_rng(2).normal(size=(1, 1, 60))
    x[0, 0, 30] = np.nan
    _, array = imputer().fit(x).transform(x, return_std=True)
    assert array.shape == x.shape and np.flatnonzero(array).tolist() == [30]


@pytest.mark.late
def test_saved_and_loaded_it_gives_the_same_bits(frame, tmp_path):
    fitted = imputer(quantiles=(0.1, 0.9)).fit(frame)
    loaded = st.load(fitted.save(tmp_path / "imputer"))
    turned = loaded.transform(frame[frame.columns[::-1]])
    pd.testing.assert_frame_equal(turned[frame.columns], fitted.transform(frame), rtol=0, atol=0)
    assert loaded.reason_ == fitted.reason_ and loaded.quantiles == (0.1, 0.9)


@pytest.mark.late
def test_results_have_columns_and_a_picture(frame):
    found = imputer(quantiles=(0.1, 0.9)).fit(frame).imputation(frame)
    table = found.to_pandas()
    assert table["ds"].tolist() == frame["ds"].tolist()
    assert (table["filled"] == "heat").sum() == 11 and (table["filled"] == "flow").sum() == 1
    low, high = table["heat_q0.1"], table["heat_q0.9"]
    assert low.notna().sum() == 11 and (low.dropna() <= high.dropna()).all()
    again = st.read(table, channels=["heat", "load", "flow"])
    assert len(again) == 2 and again.observed is None
    figure = found.plot()
    assert len(figure.axes) == 2 and "12 of 360 values" in str([t.get_text() for t in figure.texts])
    figure.savefig("/dev/null", format="png")


@pytest.mark.late
def test_it_stands_in_pipelines():
    x = np.random.default_rng(3).normal(size=(20, 1, 40)).cumsum(axis=-1)
    x[:, :, 7] = np.nan
    vectors = make_pipeline(
        imputer(), st.SelfSupervised(encoder="quantiles", progress=False)
    ).fit_transform(x)
    assert len(vectors) == 20


def test_what_cannot_be_filled_is_refused():
    with pytest.raises(ValueError, match="got text to impute, wanted one of"):
        imputer().fit(st.read(["abc", "abd"], kind="text"))
    with pytest.raises(ValueError, match="got images to impute, wanted one of"):
        imputer().fit(st.read(np.zeros((2, 8, 8), np.uint8), kind="images"))
    with pytest.raises(ValueError, match="wanted ascending levels between 0 and 1"):
        imputer(quantiles=(0.9, 0.1)).fit(np.ones((1, 1, 20)))
    fitted = imputer().fit(pd.DataFrame({"heat": np.arange(30.0), "flow": np.arange(30.0) ** 2}))
    with pytest.raises(ValueError, match="channel 'flow' is missing"):
        fitted.transform(pd.DataFrame({"heat": np.arange(30.0), "mass": np.arange(30.0)}))


def test_a_table_comes_back_under_its_own_names(tmp_path):
    lines = ["Zeit;Maschine;Temperatur;Druck"]
    for name in "AB":
        for i in range(60):
            temperature = "" if i % 17 == 3 else f"{20 + np.sin(i / 4):.2f}".replace(".", ",")
            lines.append(f"{1 + i // 24:02}.01.2024 {i % 24:02}:00;{name};{temperature};{i % 7},5")
    (tmp_path / "plant.csv").write_text("\n".join(lines) + "\n")
    series = st.read(tmp_path / "plant.csv")
    found = st.Imputer(quantiles=()).fit(series).imputation(series)
    out = st.write_table(tmp_path / "filled.csv", found.to_columns())
    names = out.read_text().splitlines()[0].replace('"', "").split(",")
    assert names[:5] == ["Maschine", "Zeit", "Temperatur", "Druck", "filled"]
    again = st.read(out)
    assert again.channels == series.channels and again.ids.tolist() == ["A", "B"]
    np.testing.assert_array_equal(again.times, series.times)
    np.testing.assert_allclose(again.values, found.series.values, rtol=1e-6)


def test_rows_without_names_say_which_step_was_filled(tmp_path):
    x = np.sin(np.arange(40) / 3 + np.arange(4)[:, None])
    x[1, 5] = np.nan
    series = st.read(x)
    columns = st.Imputer(quantiles=()).fit(series).imputation(series).to_columns()
    assert list(columns)[:4] == ["unique_id", "step", "0", "filled"]
    out = st.write_table(tmp_path / "filled.csv", columns)
    assert st.read(out).channels == ("0",)
