"""Tables block by block: the same as at once, whole at every moment, taken up where they ended."""

import os
from dataclasses import replace

import numpy as np
import pyarrow.parquet as parquet
import pytest
from ray_material import waves

import selftime as st
from selftime.data import blocks
from selftime.data.signals import Images
from selftime.estimators import tables


@pytest.fixture(scope="module")
def model():
    return st.pretrain(waves(12), encoder="quantiles", progress=False)


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Blocks of four series."""
    monkeypatch.setattr(blocks, "VALUES", 4 * 60)


class Told:
    """Makes vectors, and knows of which series; it fails at some series, if told so."""

    def __init__(self, model, fails_at=None):
        self.model, self.fails_at, self.seen = model, fails_at, []

    def __call__(self, series):
        if self.fails_at in series.ids:
            raise OSError("the disk is full")
        self.seen += series.ids.tolist()
        return st.embed(self.model, series, progress=False)


def bytes_in(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.mark.parametrize("name", ["v.npz", "v.npy", "v.csv", "v.parquet"])
def test_one_file_is_that_of_the_whole(name, model, tmp_path):
    found = st.predict(model, waves(12), tmp_path / name)
    wanted = st.embed(model, waves(12)).to_columns()
    st.write_table(tmp_path / f"whole{name}", wanted)
    assert found == (tmp_path / name, 12, 12)
    assert (tmp_path / name).read_bytes() == (tmp_path / f"whole{name}").read_bytes()


def test_gaps_are_filled_in_parts(tmp_path):
    values = np.stack([waves(12).series(i) for i in range(12)])
    values[:, :, 20:24] = np.nan
    imputer = st.Imputer().fit(values)
    found = st.predict(imputer, values, tmp_path / "filled")
    part = parquet.read_table(tmp_path / "filled").to_pandas()
    wanted = imputer.imputation(st.read(values)).to_pandas()
    assert found.series == 12 and len(part) == 12 * 60
    assert not part.isna()[[c for c in part.columns if c.startswith("channel")]].any().any()
    assert part.columns.tolist() == wanted.columns.tolist()


def test_a_folder_holds_parts_in_order(model, tmp_path):
    found = st.predict(model, waves(12), tmp_path / "v")
    assert found == (tmp_path / "v", 12, 12)
    assert sorted(os.listdir(tmp_path / "v")) == [
        "_table.json",
        *(f"part-00000{i}.parquet" for i in range(3)),
    ]
    assert parquet.read_table(tmp_path / "v")["unique_id"].to_pylist() == waves(12).ids.tolist()
    with pytest.raises(FileExistsError, match="overwrite=True"):
        st.predict(model, waves(12), tmp_path / "v")


def test_what_ended_early_goes_on(model, tmp_path):
    st.predict(model, waves(12), tmp_path / "whole")
    with pytest.raises(OSError, match="full"):
        st.predict(Told(model, "w9"), waves(12), tmp_path / "v")
    assert sorted(os.listdir(tmp_path / "v"))[1:] == ["part-000000.parquet", "part-000001.parquet"]
    again = Told(model)
    st.predict(again, waves(12), tmp_path / "v")
    assert again.seen == [f"w{i}" for i in (0, 1, 2, 3, 8, 9, 10, 11)]  # a part is compared
    assert bytes_in(tmp_path / "v") == bytes_in(tmp_path / "whole")


def test_parts_of_something_else_are_refused(model, tmp_path):
    with pytest.raises(OSError, match="full"):
        st.predict(Told(model, "w9"), waves(12), tmp_path / "v")
    with pytest.raises(FileExistsError, match="of other series"):
        st.predict(model, waves(11), tmp_path / "v")
    other = st.pretrain(waves(8), encoder="quantiles", seed=9, progress=False)
    with pytest.raises(FileExistsError, match="something else made"):
        st.predict(other, waves(12), tmp_path / "v")
    st.predict(other, waves(12), tmp_path / "v", overwrite=True)
    st.predict(other, waves(12), tmp_path / "other")
    assert bytes_in(tmp_path / "v") == bytes_in(tmp_path / "other")


def test_the_old_table_stays_until_the_new_one_is_whole(model, tmp_path):
    st.predict(model, waves(12), tmp_path / "v")
    before = bytes_in(tmp_path / "v")
    with pytest.raises(OSError, match="full"):
        st.predict(Told(model, "w9"), waves(12), tmp_path / "v", overwrite=True)
    assert bytes_in(tmp_path / "v") == before
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "a.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="is no table"):
        st.predict(model, waves(12), tmp_path / "mine", overwrite=True)


@pytest.mark.late
def test_every_kind_of_fitted_thing_makes_its_table(model, tmp_path):
    x = waves(12)
    fitted = {
        "class": st.Classifier(model).fit(x),
        "score": st.AnomalyDetector().fit(x),
        "value": st.Regressor(model).fit(x, np.arange(12.0)),
        "0": st.Forecaster(horizon=3, season=6).fit(x),
    }
    for name, estimator in fitted.items():
        found = st.predict(estimator, x, tmp_path / f"{name}.parquet")
        assert found.series == 12
        assert name in parquet.read_table(found.path).column_names
    with pytest.raises(st.ModelError, match="says nothing"):
        st.predict(3, x, tmp_path / "z")


@pytest.mark.late
def test_histories_stay_where_they_are():
    forecaster = st.Forecaster(horizon=3, season=6).fit(waves(12))
    assert not hasattr(tables.table_maker(forecaster).__self__, "fitted_on_")
    assert hasattr(forecaster, "fitted_on_")


def test_files_are_read_as_the_model_reads_them(model):
    pictures = replace(model, kind=Images(height=8, width=8, colours=1, patch=4))
    assert tables.reading_for(pictures, "folder", {"id": "a"})["kind"] is pictures.kind
    assert tables.reading_for(pictures, "folder", {"patch": 2}) == {"patch": 2}
    assert tables.reading_for(pictures, waves(2), {}) == {}
    assert tables.reading_for(model, "folder", {}) == {}


def test_numbers_may_differ_by_rounding_and_no_more():
    one, other = ({"e": np.array([1.0, 2.0, np.nan]), "id": ["a", "b", "c"]} for _ in range(2))
    close = tables.arrow_table(one | {"e": one["e"] * (1 + 1e-6)})
    far = tables.arrow_table(one | {"e": one["e"] * 1.1})
    assert tables.are_close(tables.arrow_table(other), close)
    assert not tables.are_close(tables.arrow_table(other), far)
    assert not tables.are_close(tables.arrow_table(other), close.slice(1))
