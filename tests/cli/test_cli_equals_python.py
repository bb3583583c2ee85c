"""Both doors are one: every command and the public call that does the same give equal results."""

import csv
import json

import numpy as np
import pytest
import torch
from scratch_material import make_scratch_quick, narrow
from starlette.testclient import TestClient
from typer.main import get_command
from typer.testing import CliRunner

import selftime as st
from selftime.cli import app
from selftime.data import paths
from selftime.encoders.builders import BUILDERS
from selftime.engine import graphs
from selftime.tasks.audit import views as invariance
from selftime.views.registry import VIEW_STRENGTHS

pytestmark = [pytest.mark.late, pytest.mark.again]  # called under type checks elsewhere
CLOCK = {"finished", "seconds", "seconds to learn"}
"""What two runs of the same never have in common."""
STEPS = {"objective": "ts2vec", "budget": "2 steps"}


@pytest.fixture(autouse=True, scope="module")
def quick():
    """Quick features, a small network, few steps from scratch: the same behind both doors."""
    with pytest.MonkeyPatch.context() as patch:
        make_scratch_quick(patch)
        patch.setitem(BUILDERS, "rocket", BUILDERS["quantiles"])
        patch.setitem(BUILDERS, "dilated", narrow)
        yield


def waves(n: int, seed: int) -> st.SeriesSet:
    """Three kinds of noisy wave, ``n`` of each."""
    rng = np.random.default_rng(seed)
    speed = np.repeat([2.0, 3.0, 1.0], n)[:, None]
    x = np.sin(speed * np.linspace(0, 6, 40) + rng.uniform(0, 6, (3 * n, 1)))
    kinds = np.repeat(["calm", "fast", "slow"], n)
    return st.SeriesSet.of(x + 0.5 * rng.normal(size=x.shape), kinds)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A folder with labelled series and, from both doors, runs and a race."""
    folder = tmp_path_factory.mktemp("world")
    for name, n in (("train", 8), ("test", 5)):
        st.write(waves(n, n), folder / f"{name}.npz")
    train = folder / "train.npz"
    say("pretrain", train, "--encoder", "quantiles", "--out", folder / "cli")
    st.pretrain(str(train), encoder="quantiles", run=folder / "python")
    words = [word for name, value in STEPS.items() for word in (f"--{name}", value)]
    say("pretrain", train, *words, "--out", folder / "cli-steps")
    st.pretrain(str(train), **STEPS, run=folder / "python-steps")
    say("race", train, "--objectives", "spectral,neighbours", "--out", folder / "cli-race")
    st.race(str(train), objectives=("spectral", "neighbours"), run=folder / "python-race")
    return folder


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    """One recording of a wave that breaks off for a while."""
    t = np.arange(600)
    x = np.sin(t * 2 * np.pi / 24) + 0.05 * np.random.default_rng(0).normal(size=600)
    x[450:470] = 0
    target = tmp_path_factory.mktemp("recording") / "x.npz"
    return str(st.write(st.SeriesSet.of(x[None]), target))


def say(*words, given: str | None = None) -> dict:
    """What a command says with --json."""
    result = CliRunner().invoke(app, [str(word) for word in (*words, "--json")], input=given)
    assert result.exit_code == 0, result.output
    if given is not None:
        return [json.loads(line) for line in result.stdout.splitlines()]
    return json.loads(result.stdout)


def plain(content):
    """Plain values as a file gives them back, without what the clock says."""
    if isinstance(content, dict):
        return {name: plain(it) for name, it in content.items() if name not in CLOCK}
    if isinstance(content, list | tuple):
        return [plain(it) for it in content]
    return json.loads(json.dumps(content))


def file_of(path):
    return plain(json.loads(path.read_text(encoding="utf8")))


def files_in(folder) -> set[str]:
    """Names of all files but those of models, whose weights are compared as such."""
    names = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    return {name for name in names if "checkpoints" not in name}


def test_every_command_is_compared():
    tested = {name.removeprefix("test_") for name in globals() if name.startswith("test_")}
    assert set(get_command(app).commands) <= tested


def test_inspect(world, monkeypatch):
    monkeypatch.setattr(invariance, "strengths_for", lambda kind: {"flip": VIEW_STRENGTHS["flip"]})
    path = str(world / "train.npz")
    said = say("inspect", path, "--views", "--seed", 3)
    views = said.pop("views")
    assert said == plain(st.inspect(path).to_dict())
    assert views == plain(st.inspect_views(st.read(path), seed=3).to_dict())


def test_pack(world):
    source, ours = str(world / "train.npz"), world / "cli-store"
    said, series = say("pack", source, "--out", ours), st.read(source)
    theirs = st.read(st.pack(source, world / "python-store"))
    assert said == {"store": str(ours), "series": len(series), "steps": len(series.steps)}
    assert say("pack", ours, "--verify")["shards"] == st.verify_store(world / "python-store")
    for store in (st.read(ours), theirs):
        np.testing.assert_array_equal(store.values, series.values)
        np.testing.assert_array_equal(store.ids, series.ids)
        np.testing.assert_array_equal(store.labels, series.labels)


@pytest.mark.parametrize("kind", ["", "-steps"])
def test_pretrain(world, kind):
    ours, theirs = world / f"cli{kind}", world / f"python{kind}"
    assert file_of(ours / "run.json") == file_of(theirs / "run.json")
    assert files_in(ours) == files_in(theirs) | {"report.html"}
    assert file_of(ours / "run.json")["data"]["source"] == str(world / "train.npz")
    test = world / "test.npz"
    np.testing.assert_array_equal(st.load(ours).embed(test), st.load(theirs).embed(test))
    if kind:
        logs = [
            [json.loads(line)["step"] for line in (f / "metrics.jsonl").read_text().splitlines()]
            for f in (ours, theirs)
        ]
        assert logs[0] == logs[1] == [0, 1, 2]


def test_race(world):
    ours, theirs = world / "cli-race", world / "python-race"
    assert file_of(ours / "race.json") == file_of(theirs / "race.json")
    assert file_of(ours / "run.json") == file_of(theirs / "run.json")
    assert files_in(ours) == files_in(theirs) | {"report.html"}
    test = world / "test.npz"
    np.testing.assert_array_equal(st.load(ours).embed(test), st.load(theirs).embed(test))


def test_embed(world, tmp_path):
    say("embed", world / "cli", world / "test.npz", "--out", tmp_path / "z.npz")
    wanted = st.load(world / "python").embed(world / "test.npz")
    np.testing.assert_array_equal(np.load(tmp_path / "z.npz")["vectors"], wanted)
    words = ["--device", "cpu:0", "--out", tmp_path / "copied.npz"]  # for torch another device
    say("embed", world / "cli", world / "test.npz", *words)
    np.testing.assert_array_equal(np.load(tmp_path / "copied.npz")["vectors"], wanted)


def test_export(world, tmp_path, monkeypatch):
    monkeypatch.setattr(graphs, "_MOST_RUNS", 1)
    monkeypatch.setattr(graphs, "BATCHES", (1,))
    ours, theirs = tmp_path / "ours.pt2", tmp_path / "theirs.pt2"
    said = say("export", world / "cli-steps", "--to", "torch", "--out", ours)
    made = st.export(world / "python-steps", theirs, to="torch").to_dict()
    assert said.pop("out") == str(ours) and made.pop("out") == str(theirs)
    times = [sorted(row["runtime"] for row in each.pop("latency")) for each in (said, made)]
    assert said == made and times[0] == times[1] == ["selftime", "torch"]
    x = torch.from_numpy(np.float32(waves(2, 9).values.reshape(6, 1, 40)))
    graphs_of = [torch.export.load(path).module() for path in (ours, theirs)]
    assert torch.equal(*(graph(x) for graph in graphs_of))


@pytest.mark.parametrize("head", ["linear", "knn"])
def test_classify(world, tmp_path, head):
    train, test = str(world / "train.npz"), str(world / "test.npz")
    out = tmp_path / "p.csv"
    words = ["--train", train, "--test", test, "--out", out, "--head", head]
    said = say("classify", world / "cli", *words)
    rows = list(csv.DictReader(out.read_text().splitlines()))
    model = st.load(world / "python")
    classifier = st.Classifier(model, head=head).fit(train)
    chances = classifier.predict_proba(test)
    assert [row["class"] for row in rows] == classifier.predict(test).tolist()
    np.testing.assert_allclose([float(row["probability"]) for row in rows], chances.max(axis=1))
    found = st.evaluate(classifier.model_, classifier, train, test)
    assert said["accuracy"] == found.accuracy
    assert said["leaks"] == st.find_leaks(model, st.read(train), st.read(test)).to_dict()
    assert (said["strategy"], said["why"]) == (classifier.strategy_, classifier.why_)
    beside = found.save(tmp_path / "python.json")
    assert file_of(tmp_path / "p.evaluation.json") == file_of(beside)


def test_advise(world):
    said = say("advise", world / "train.npz", "--model", world / "cli")
    advice = st.advise(24, st.load(world / "python"))
    assert (said["labels"], said["strategy"], said["why"]) == (24, advice.strategy, advice.why)


@pytest.fixture(scope="module")
def compared(world):
    """Folders of a comparison from both doors, and what each said."""
    train, test = str(world / "train.npz"), str(world / "test.npz")
    words = ["--train", train, "--test", test, "--labels-per-class", "1,50%,all", "--draws", 2]
    words += ["--strategies", "probe", "--model", world / "cli"]
    said = say("compare", *words, "--out", world / "cli-compared")
    labels = (1, "50%", "all")
    found = st.compare(
        st.load(world / "python"),
        train,
        test,
        labels_per_class=labels,
        draws=2,
        strategies=("probe",),
    )
    folder = world / "python-compared"
    run = st.write_comparison(folder, found, train=train, test=test, save_model=False)
    return said, found, run


def test_compare(world, compared):
    said, found, run = compared
    assert said == plain(found.to_dict()) and found.labels_per_class == (1, 0.5, None)
    ours = world / "cli-compared"
    assert files_in(ours) == files_in(run.path)
    for name in ("comparison.json", "strategies.json", "evaluation.json", "run.json"):
        assert file_of(ours / name) == file_of(run.path / name), name


def test_methods():
    assert say("methods") == plain([method.to_dict() for method in st.methods()])


def test_demo(world, tmp_path, monkeypatch):
    few = st.read(world / "train.npz")
    monkeypatch.setattr(paths, "sample", lambda name, split: few)
    said = say("demo", "--encoder", "quantiles", "--out", tmp_path / "demo")
    model = st.pretrain(few, encoder="quantiles")
    found = st.compare(model, few, few)
    assert plain({k: v for k, v in said.items() if k != "files"}) == plain(found.to_dict())
    run = st.write_comparison(tmp_path / "python", found, train=few, test=few, command="demo")
    ours = files_in(tmp_path / "demo")
    assert ours == files_in(run.path) | {"overview.png"}
    said = say("report", tmp_path / "demo", "--out", tmp_path / "page.html")
    assert said["run"]["command"] == "demo" and (tmp_path / "page.html").is_file()


FOLDERS = ["cli", "python", "cli-steps", "python-steps", "cli-race", "python-race"]
FOLDERS += ["python-race/contenders/spectral", "cli-compared", "python-compared"]


@pytest.mark.parametrize("name", FOLDERS)
def test_report(world, compared, tmp_path, name):
    train = str(world / "train.npz")
    extra = ["--test", str(world / "test.npz")] if "compared" in name else []
    page = tmp_path / "cli.html"
    said = say("report", world / name, "--train", train, *extra, "--out", page)
    run = st.read_run(world / name)
    assert said.pop("report") == str(page)
    assert said == json.loads(json.dumps(run.to_dict()))
    made = run.write_report(train=train, test=extra[-1] if extra else None, out=tmp_path / "p.html")
    assert made.read_bytes() == page.read_bytes()
    shown = CliRunner().invoke(
        app, ["report", str(world / name), "--out", str(tmp_path / "x.html")]
    )
    assert f"selftime {run.run['command']}, seed 0" in shown.stdout, shown.output


def test_report_of_an_evaluation(world, tmp_path):
    train, test = str(world / "train.npz"), str(world / "test.npz")
    classifier = st.Classifier(st.load(world / "python")).fit(train)
    found = st.evaluate(classifier.model_, classifier, train, test)
    path = found.save(tmp_path / "judged.json")
    said = say("report", path, "--train", train, "--test", test)
    assert said["evaluation"]["figures"] == plain(found.figures())
    assert (tmp_path / "judged.html").is_file() and said["run"]["command"] == "classify"


def test_forecast(recording, tmp_path):
    out = tmp_path / "f.csv"
    said = say("forecast", recording, "--horizon", 6, "--season", 24, "--out", out)
    forecaster = st.Forecaster(horizon=6, season=24).fit(recording)
    rows = list(csv.DictReader(out.read_text().splitlines()))
    for name, column in forecaster.forecasts().to_columns().items():
        if name not in ("unique_id", "step"):
            np.testing.assert_allclose([float(row[name]) for row in rows], column, rtol=1e-6)
    assert said["features"] == forecaster.reason_


def test_impute(recording, tmp_path):
    holed = np.array(st.read(recording).values)
    holed[0, 0, 100:120] = np.nan
    source = tmp_path / "holed.csv"
    st.write(st.SeriesSet.of(holed), source)
    out, folder = tmp_path / "filled.csv", tmp_path / "imputer"
    said = say("impute", source, "--levels", "0.1,0.9", "--out", out, "--save", folder)
    imputer = st.Imputer(quantiles=(0.1, 0.9)).fit(source)
    found = imputer.imputation(source)
    assert (said["filled"], said["values"], said["reason"]) == (20, 600, imputer.reason_)
    rows = list(csv.DictReader(out.read_text().splitlines()))
    for name, column in found.to_columns().items():
        cells = [row[name] for row in rows]
        wanted = ["" if cell is None else cell for cell in list(np.asarray(column).tolist())]
        if name in ("0", "0_q0.1", "0_q0.9"):
            kept = [(float(a), b) for a, b in zip(cells, wanted, strict=True) if a]
            np.testing.assert_allclose(*zip(*kept, strict=True), rtol=1e-6)
    assert [row["filled"] for row in rows] == [
        "channel 0" if 100 <= t < 120 else "" for t in range(600)
    ]
    again = say("predict", folder, source, "--out", tmp_path / "again.csv")
    assert again["filled"] == 20
    assert (tmp_path / "again.csv").read_text() == out.read_text()


def test_impute_first(recording, tmp_path):
    holed = np.array(st.read(recording).values)
    holed[0, 0, 100:120] = np.nan
    source = tmp_path / "holed.csv"
    st.write(st.SeriesSet.of(holed), source)
    out = tmp_path / "f.csv"
    words = ("--horizon", 6, "--season", 24)
    say("forecast", source, *words, "--impute", "--out", out)
    series = st.Imputer(quantiles=()).fit_transform(st.read(source))
    found = st.Forecaster(horizon=6, season=24).fit(series).predict()
    rows = list(csv.DictReader(out.read_text().splitlines()))
    np.testing.assert_allclose([float(row["0"]) for row in rows], found[0, 0], rtol=1e-6)
    refused = CliRunner().invoke(app, ["backtest", str(source), "--horizons", "4", "--impute"])
    assert refused.exit_code == 2 and "may not know what comes later" in refused.output


def test_backtest(recording):
    said = say("backtest", recording, "--horizons", "4,8", "--no-refit")
    found = st.backtest(st.read(recording), (4, 8), refit=False)
    assert plain(said) == plain(found.to_dict())


def test_detect(recording, tmp_path):
    out = tmp_path / "scores.csv"
    said = say("detect", recording, "--train-end", 300, "--out", out)
    found = st.detect(recording, train_end=300)
    scores = np.loadtxt(out, delimiter=",", skiprows=1, usecols=1)
    np.testing.assert_allclose(scores, found.scores)
    assert {name: said[name] for name in found.to_dict()} == plain(found.to_dict())
    x = st.read(recording).series(0)
    detector = st.AnomalyDetector(continues=True).fit(x[:, :300])
    np.testing.assert_allclose(detector.score(x[:, 300:])[0], found.scores[300:])
    later = [alarm._replace(start=alarm.start + 300) for alarm in detector.alarms(x[:, 300:])[0]]
    assert [alarm.start for alarm in later] == [alarm.start for alarm in found.alarms] != []


def test_predict(world, tmp_path):
    train, test, kept = world / "train.npz", world / "test.npz", tmp_path / "kept"
    say("classify", world / "cli", "--train", train, "--save", kept)
    said = say("predict", kept, test, "--out", tmp_path / "p.csv")
    classifier = st.Classifier(st.load(world / "python")).fit(str(train))
    wanted = classifier.predict(str(test)).tolist()
    rows = list(csv.DictReader((tmp_path / "p.csv").read_text().splitlines()))
    assert [row["class"] for row in rows] == wanted
    assert said["classes"] == {name: wanted.count(name) for name in sorted(set(wanted))}
    assert said["estimator"] == "Classifier" and said["series"] == len(wanted)


@pytest.mark.parametrize("normal", [True, False])
def test_watch(world, recording, normal):
    steps = st.read(recording).series(0)[0]
    given = "".join(f"{value!r}\n" for value in steps[300:].tolist())
    source = {"--normal": str(recording)} if normal else {"--learn": 100}
    words = [word for pair in source.items() for word in pair]
    words += ["--rate", 0.05, "--window", 16, "--every", 4, "--cool-down", 3]
    said = say("watch", world / "cli", *words, given=given)
    settings = {name.strip("-"): value for name, value in source.items()}
    monitor = st.StreamMonitor(
        st.load(world / "python"), rate=0.05, window=16, every=4, cool_down=3, **settings
    )
    for k, value in enumerate(steps[300:].tolist(), start=1):
        assert said[k - 1] == {"step": k, **plain(monitor.update(value)._asdict())}
    assert monitor.is_ready and any(one["alarm"] for one in said)
    assert monitor.embedding.shape == (st.load(world / "cli").dim,)


def test_serve(world, monkeypatch):
    served = []
    run = "uvicorn.Server.run"
    monkeypatch.setattr(run, lambda self, sockets: served.append(self.config.app))
    CliRunner().invoke(app, ["serve", f"x={world / 'cli'}", "--port", "0", "--max-length", "50"])
    st.serve(f"x={world / 'python'}", port=0, max_length=50)
    asked = []
    for one in served:
        with TestClient(one) as client:
            body = {"series": st.read(str(world / "test.npz")).values.tolist()}
            asked.append(
                [
                    client.post("/embed", json=body).json()["columns"],
                    client.post("/embed", json={"series": [[1] * 51]}).json(),
                    client.get("/openapi.json").json(),
                ]
            )
    assert len(asked) == 2 and asked[0] == asked[1] and asked[0][1]["status"] == 413


def test_pick(world, tmp_path):
    said = say("pick", world / "cli-steps", world / "train.npz", "--out", tmp_path / "picked")
    made = st.pick(st.load(world / "python-steps"), str(world / "train.npz"))
    assert {name: said[name] for name in made.to_dict()} == plain(made.to_dict())
    test = world / "test.npz"
    found = st.load(tmp_path / "picked").embed(test)
    np.testing.assert_array_equal(found, made.model.embed(test))


def test_index(world, recording):
    for name, how in (("cli", ()), ("more", ("--approximate",))):
        words = (
            "index",
            recording,
            "--model",
            world / "cli",
            *how,
            "--windows",
            40,
            "--stride",
            10,
        )
        said = say(*words, "--out", world / f"index-{name}")
        assert said["entries"] == 57 and said["approximate"] == bool(how)
    train = world / "train.npz"
    say("index", train, "--model", world / "cli", "--out", world / "index")
    id = str(st.read(train).ids[0])
    st.write(st.read(train)[:1], world / "one.npz")
    found = st.load(world / "index").remove([id]).add(world / "one.npz")
    say("index", world / "one.npz", "--add", "--remove", id, "--out", world / "index")
    assert found.to_columns()["unique_id"].tolist() == st.load(world / "index").series.ids.tolist()


def test_search(world, tmp_path):
    model = st.load(world / "python")
    st.SeriesIndex(model).add(world / "train.npz").save(tmp_path / "i")
    index, query = st.load(tmp_path / "i"), str(world / "test.npz")
    how = ("-k", 3, "--only-label", "calm", "--out", tmp_path / "hits.csv")
    said = say("search", tmp_path / "i", query, *how, "--picture", tmp_path / "hits.png")
    wanted = index.search(query, k=3, where={"label": "calm"})
    assert said["hits"] == plain(wanted.to_dict())["hits"]
    with (tmp_path / "hits.csv").open(encoding="utf8") as file:
        assert len([*csv.DictReader(file)]) == len(wanted)
    assert (tmp_path / "hits.png").stat().st_size > 10_000
    id = str(st.read(query).ids[1])
    one = say("search", tmp_path / "i", f"{query}#{id}", "-k", 2)["hits"]
    assert one == plain(index.search(st.read(query)[[1]], k=2).to_dict())["hits"]
    own = say("search", tmp_path / "i", f"#{index.series.ids[2]}", "-k", 2)["hits"]
    assert own == plain(index.search(id=str(index.series.ids[2]), k=2).to_dict())["hits"]


def test_cluster(world, tmp_path):
    data, names = str(world / "train.npz"), tmp_path / "names.csv"
    names.write_text("cluster,name\n0,much\n", encoding="utf8")
    how = ("--model", world / "cli", "--names", names, "--picture", tmp_path / "c.png")
    said = say("cluster", data, "-k", 3, "--out", tmp_path / "c.csv", *how)
    wanted = st.cluster(world / "python", data, 3, names={0: "much"})
    assert {n: v for n, v in said.items() if n not in ("out", "picture")} == plain(wanted.to_dict())
    st.write_table(tmp_path / "python.csv", wanted.to_columns())
    assert (tmp_path / "c.csv").read_bytes() == (tmp_path / "python.csv").read_bytes()
    assert (tmp_path / "c.png").stat().st_size > 10_000


def test_states(world, recording, tmp_path):
    how = ("--windows", 40, "--stride", 10, "--model", world / "cli", "-k", 2)
    picture = ("--picture", tmp_path / "s.png", "--out", tmp_path / "s.csv")
    said = say("states", recording, *how, *picture)
    wanted = st.states(world / "python", st.read(recording, windows=40, stride=10), 2)
    got = {name: value for name, value in said.items() if name not in ("out", "picture")}
    assert got == plain(wanted.to_dict()) and said["changes"] >= 1
    st.write_table(tmp_path / "python.csv", wanted.to_columns())
    assert (tmp_path / "s.csv").read_bytes() == (tmp_path / "python.csv").read_bytes()
    assert (tmp_path / "s.png").stat().st_size > 10_000


def test_studio(world, tmp_path, monkeypatch):
    opened = []
    run = "uvicorn.Server.run"
    monkeypatch.setattr(run, lambda self, sockets: opened.append(self.config.app.state.desk))
    train = str(world / "train.npz")
    words = ["studio", str(world / "cli"), train, "--windows", "20", "--stride", "10", "--no-open"]
    done = CliRunner().invoke(app, [*words, "--port", "0", "--session", str(tmp_path / "cli")])
    assert done.exit_code == 0, done.output
    how = {"windows": 20, "stride": 10, "session": tmp_path / "python", "browser": False}
    path = st.open_studio(world / "python", train, port=0, **how)
    first, second = (desk.collection for desk in opened)
    assert first.names == second.names and first.about() == second.about() | {"windows": "20"}
    np.testing.assert_array_equal(first.entries.values, second.entries.values)
    assert path == tmp_path / "python" / "labels.csv"
    assert path.read_bytes() == (tmp_path / "cli" / "labels.csv").read_bytes() != b""


def test_suggest(world):
    words = ["suggest", world / "cli", world / "train.npz", "--n", 4]
    said = say(*words, "--labelled", world / "test.npz")
    model, test = st.load(world / "python"), st.read(world / "test.npz")
    assert said == plain(st.suggest(model, world / "train.npz", n=4, labelled=test).to_dict())
