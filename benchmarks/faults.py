"""Crash points, kills and full disks at every door that writes: `python -m benchmarks.faults`.

**Crash points.** Each door is called in a forked process that ends right before its first operation
that writes files, then right before its second, and so on until it has no more (`--points` takes
some of them). After each the old result or the new one must be there, whole, and no file of the
user's may be gone; else a result is *lost*. Then the door is called again as its message says, and
must end in the bits of a call that nobody disturbed; else it is *unresumable*. Whatever hidden file
is there then is a *draft*.

**Kills.** SIGKILL, SIGTERM and SIGINT at random moments, half of them twice, with the same checks.
*Claims* are messages that nothing half-written was left where something was.

**Full disks.** No file may grow beyond some bytes; the error must be one line with exit code 1.

Operations are those that Python reports, or that are patched: files opened to be written, folders
made, renames, exchanges, links, modes, removals, waits for the disk, tensors. Bits are those of
tensors, tables and JSON but for seconds and dates; pages and pictures must be there.
"""

import argparse
import contextlib
import hashlib
import io
import json
import os
import re
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from accelerate import Accelerator
from matplotlib.figure import Figure
from tests.support.kill_points import killed_before, operations_of

import selftime as st
from selftime.cli.app import app, terminate
from selftime.data import files, shards
from selftime.data.files import HIDDEN, restore
from selftime.data.places import FULL
from selftime.data.store import SHARDS, status_of
from selftime.encoders.networks.dilated import Dilated
from selftime.engine.model import current_versions
from selftime.tasks.selection import race as races

RESULTS = Path(__file__).parent / "results"
SECONDS = ("seconds", "finished", "seconds to learn")
"""What differs between two calls that do the same."""
NOTES = "notes.txt"
"""A file of the user's in a folder that is replaced."""
LIMITS = (200, 2_000, 20_000)
"""Bytes that a file may have where the disk is full."""
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)


class Door(NamedTuple):
    """A call that writes.

    Attributes:
        name: of the door.
        words: of the command line; or a function of the path and of whether to overwrite.
        outs: the files and folders that it writes.
        old: words of a call before it, whose result it replaces; none where nothing stands there.
        renames: replace folders by two renames, as where the kernel cannot exchange names.
    """

    name: str
    words: tuple[str, ...] | Callable[[Path, bool], object]
    outs: tuple[str, ...]
    old: tuple[str, ...] | Callable[[Path, bool], object] | None = None
    renames: bool = False

    def call(self, here: Path, *more: str, force: bool | None = None) -> None:
        """Call the door in this process."""
        force = self.old is not None if force is None else force
        if self.renames:
            files._exchange = lambda *_: False
        os.chdir(here)
        if callable(self.words):
            self.words(here / self.outs[0], force)
        else:
            app([*self.words, *more, *["--force"] * force], prog_name="selftime")


def doors(world: Path) -> list[Door]:
    """Every door, on the data and models of a folder."""
    x, recording, model = (str(world / name) for name in ("x.npz", "recording.csv", "model"))
    models = {seed: st.load(world / name) for seed, name in enumerate(("model", "other"))}
    fitted = {seed: st.Classifier(model).fit(world / "x.npz") for seed, model in models.items()}

    def saver(of: Any) -> Callable[[Path, bool], object]:
        return lambda path, force: of.save(path, overwrite=force)

    closed = ("pretrain", x, "--encoder", "quantiles", "--out", "run")
    steps = ("pretrain", x, "--objective", "simclr", "--budget", "2 steps", "--out", "run")
    race = ("race", x, "--objectives", "spectral,neighbours", "--minutes", "1", "--out", "run")
    compare = ("compare", "--train", x, "--model", model, "--labels-per-class", "1")
    compare += ("--draws", "1", "--out", "run")
    embed = ("embed", model, x, "--out", "e.npz")
    forecast = ("forecast", recording, "--horizon", "4", "--out", "f.csv", "--save", "fitted")
    detect = ("detect", recording, "--out", "d.csv", "--alarms", "a.csv", "--save", "fitted")
    pack = ("pack", str(world / "plant"), "--out", "store")
    predict = ("predict", str(world / "forecaster"), recording, "--out", "p.csv")
    found = [
        Door("Model.save", saver(models[0]), ("model",)),
        Door("Model.save, overwrite", saver(models[0]), ("model",), saver(models[1])),
        Door("Model.save, two renames", saver(models[0]), ("model",), saver(models[1]), True),
        Door("Classifier.save", saver(fitted[0]), ("model",)),
        Door("Classifier.save, overwrite", saver(fitted[0]), ("model",), saver(fitted[1])),
    ]
    other = ("--seed", "1")
    for name, words, outs, old in (
        ("pretrain, closed form", closed, ("run",), (*closed, *other)),
        ("pretrain, steps", steps, ("run",), (*closed, *other)),
        ("race", race, ("run",), (*closed, *other)),
        ("compare", compare, ("run",), (*closed, *other)),
        ("embed", embed, ("e.npz",), ("embed", str(world / "other"), *embed[2:])),
        ("pack", pack, ("store",), ("pack", x, *pack[2:])),
        ("forecast", forecast, ("f.csv", "fitted"), (*forecast, "--season", "3")),
        ("detect", detect, ("d.csv", "a.csv", "fitted"), (*detect, "--train-end", "50")),
        (
            "predict",
            predict,
            ("p.csv",),
            ("predict", str(world / "other-forecaster"), *predict[2:]),
        ),
    ):
        found += [Door(name, words, outs), Door(f"{name}, --force", words, outs, old)]
    return found


def make_world(world: Path) -> None:
    """Write data, models and a forecaster, and load whatever the doors will need."""
    rng = np.random.default_rng(0)
    speeds = np.repeat([1, 4], 10)
    waves = np.sin(2 * np.pi * (speeds[:, None] * np.arange(32) / 32 + rng.random((20, 1))))
    waves += 0.1 * rng.normal(size=waves.shape)
    series = st.SeriesSet.of(waves[:, None].astype(np.float32), speeds)
    st.write(series, world / "x.npz")
    recording = np.sin(np.arange(150) / 5) + 0.1 * rng.normal(size=150)
    recording[100:104] += 4
    np.savetxt(world / "recording.csv", recording, header="v", comments="")
    (world / "plant").mkdir()
    for i, part in enumerate(np.split(recording, 5)):
        np.savetxt(world / "plant" / f"{i}.csv", part, header="v", comments="")
    for seed, name in enumerate(("model", "other")):
        st.pretrain(series, encoder="quantiles", seed=seed).save(world / name)
    for seed, name in enumerate(("forecaster", "other-forecaster")):
        made = st.Forecaster(horizon=4, season=3 if seed else None)
        made.fit(st.read(world / "recording.csv")).save(world / name)


def warm(root: Path, known: list[Door]) -> None:
    """Load what doors need, so that forked processes need not; but nothing is trained by steps.

    Automatic derivatives would make threads, which a fork loses.
    """
    for door in {door.words: door for door in known}.values():
        if "steps" in door.name or "race" in door.name:
            continue
        nowhere = io.StringIO()
        silence = contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere)
        with silence[0], silence[1], contextlib.suppress(SystemExit):
            door.call(Path(tempfile.mkdtemp(dir=root)), force=False)
    os.chdir(root)
    one = Dilated(channels=1, hidden=2, depth=1, dim=2)
    torch.optim.AdamW(one.parameters())
    Accelerator(cpu=True).prepare(one)


def lighten() -> None:
    """Let contenders learn from few features, leave pictures empty, and make shards small."""
    pretrain = races.pretrain

    def lightly(*given: Any, **how: Any) -> Any:
        return pretrain(*given, **{**how, "encoder": "quantiles"})

    races.pretrain = lightly
    shards.SHARD = 200  # bytes: a few shards
    Figure.savefig = lambda figure, file, **how: file.write(b"a picture")


class Said(NamedTuple):
    """The exit code of a call, and its words on stderr and stdout."""

    code: int
    text: str


def heard(work: Callable[[], object], after: Callable[[int], object] = lambda child: None) -> Said:
    """Do some work in a process, and something to it once it runs; how it ends and what it says."""
    reads, writes = os.pipe()

    def child() -> None:
        os.dup2(writes, 1), os.dup2(writes, 2)
        code: Any = 0
        try:
            work()
        except SystemExit as error:
            code = error.code or 0
        except OSError as error:  # of a door of Python
            code = 1 if error.errno in FULL else 3
            print(f"selftime: {error.filename}: {error.strerror or error}", file=sys.stderr)
        except BaseException:
            code = 3
            traceback.print_exc()
        with contextlib.suppress(BaseException):
            sys.stdout.flush(), sys.stderr.flush()
        os.write(writes, f"\nexit {code}\n".encode())

    number = os.fork()
    if number == 0:
        try:
            signal.signal(signal.SIGTERM, terminate)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            child()
        finally:
            os._exit(0)
    after(number)
    status = os.waitstatus_to_exitcode(os.waitpid(number, 0)[1])
    os.close(writes)
    with os.fdopen(reads, encoding="utf8", errors="replace") as file:
        text = file.read()
    ended = re.search(r"\nexit (\d+)\n$", text)
    return Said(int(ended[1]) if ended else status, text)


def bits(here: Path, door: Door) -> dict[str, str | None]:
    """The result of each output, as a hash; None where there is none, or it is not finished."""
    return {out: bits_of(here / out) for out in door.outs}


def bits_of(out: Path) -> str | None:
    restore(out)
    if not out.exists():
        return None
    paths = sorted(path for path in out.rglob("*") if path.is_file()) if out.is_dir() else [out]
    within = {path: path.relative_to(out) for path in paths}
    own = [path for path in paths if not any(p.startswith(".") for p in within[path].parts)]
    if not own or (out.is_dir() and is_running(out)):
        return None
    found = hashlib.sha256()
    for path in own:
        passing = within[path].parts[:1] in (("checkpoints",), (SHARDS,))
        if not passing and path.name != NOTES:
            found.update(f"{within[path]}\0".encode() + content(path))
    return found.hexdigest()


def content(path: Path) -> bytes:
    """What a file holds but for seconds and dates; of pages and pictures that they are there."""
    if path.suffix in (".html", ".png", ".md"):
        return b"there" if path.stat().st_size else b"empty"
    if path.suffix == ".jsonl":
        rows = [json.loads(line) for line in path.read_text().splitlines()]
    elif path.suffix == ".json":
        rows = json.loads(path.read_text())
    else:
        return path.read_bytes()
    return json.dumps(without_seconds(rows), sort_keys=True).encode()


def without_seconds(value: Any) -> Any:
    if isinstance(value, list):
        return [without_seconds(item) for item in value]
    if isinstance(value, dict):
        return {k: without_seconds(v) for k, v in value.items() if k not in SECONDS}
    return value


class Stage:
    """A door with what stands before it, what it makes undisturbed, and how long that takes."""

    def __init__(self, door: Door, root: Path) -> None:
        self.door, self.root, self.count = door, root / re.sub(r"\W+", "-", door.name), 0
        self.before = self.root / "before"
        self.before.mkdir(parents=True)
        if door.old is not None:
            first = door._replace(words=door.old, old=None, renames=False)
            said = heard(lambda: first.call(self.before))
            assert said.code == 0, said.text
            for out in door.outs:
                if (self.before / out).is_dir():
                    (self.before / out / NOTES).write_text("precious")
        self.old = bits(self.before, door)
        here, start = self.fresh(), time.perf_counter()
        self.operations = operations_of(silently(self, here))
        self.seconds = time.perf_counter() - start
        self.new = bits(here, door)
        assert None not in self.new.values() and not left_in(here), left_in(here)
        assert all(self.new[out] != self.old[out] for out in door.outs), self.new

    def fresh(self) -> Path:
        """A folder with what stands before."""
        self.count += 1
        return Path(shutil.copytree(self.before, self.root / str(self.count)))

    def losses(self, here: Path) -> int:
        """Results that are neither the old nor the new, and files of the user's that are gone."""
        try:
            found = bits(here, self.door)
        except (ValueError, OSError):
            return 1
        neither = sum(found[out] not in (self.old[out], self.new[out]) for out in self.door.outs)
        notes = [out / NOTES for out in self.before.iterdir() if (out / NOTES).exists()]
        kept = [here / path.relative_to(self.before) for path in notes]
        return neither + sum(not path.exists() for path in kept)

    def judge(self, here: Path) -> Counter[str]:
        """What is wrong after a call that was ended, and after the next."""
        found = Counter(lost=self.losses(here))
        said = self.go_on(here)
        if said.code or bits(here, self.door) != self.new:
            found["unresumable"] += 1
            print(f"{self.door.name}: {said.text}", file=sys.stderr)
        found["lost"] += self.losses(here) if not found["unresumable"] else 0
        found["drafts"] = len(left_in(here))
        if sum(found.values()):
            print(f"{self.door.name}: {dict(found)} in {here}: {left_in(here)}", file=sys.stderr)
        else:
            shutil.rmtree(here)
        return found

    def go_on(self, here: Path) -> Said:
        """Call the door again, as its message says."""
        if callable(self.door.words):
            return heard(lambda: self.door.call(here, force=(here / self.door.outs[0]).exists()))
        said = heard(lambda: self.door.call(here, force=False))
        if "--resume goes on with it" in said.text:
            said = heard(lambda: self.door.call(here, "--resume", force=False))
        if said.code and "--force" in said.text and bits(here, self.door) != self.new:
            said = heard(lambda: self.door.call(here, force=True))
        return said._replace(code=0) if bits(here, self.door) == self.new else said


def left_in(here: Path) -> list[str]:
    """Hidden files that a call left."""
    found = (path for path in here.rglob(".*") if path.name != NOTES)
    return sorted(
        str(path.relative_to(here))
        for path in found
        if HIDDEN.fullmatch(path.name) or path.name.startswith((".next", ".replaces"))
    )


def crash(stage: Stage, points: int | None) -> Counter[str]:
    """End a door before each of its operations, or before some of them, spread evenly."""
    many = stage.operations
    some = range(2 * many) if points is None else np.linspace(0, many - 1, points).round()
    found: Counter[str] = Counter()
    for operation in sorted({int(at) for at in some}):
        here = stage.fresh()
        if not killed_before(operation, silently(stage, here)):
            break
        found += Counter(points=1) + stage.judge(here)
    return found


def silently(stage: Stage, here: Path) -> Callable[[], None]:
    """Return what calls a door and says nothing."""

    def work() -> None:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1), os.dup2(nowhere, 2)
        with contextlib.suppress(SystemExit):
            stage.door.call(here)

    return work


def kill(stage: Stage, dice: np.random.Generator) -> Counter[str]:
    """End a door by a signal at a random moment, and half the time also the call that goes on."""
    here, found = stage.fresh(), Counter(kills=1)
    for more in ((), ("--resume",))[: 1 + int(dice.integers(2))]:
        number, delay = SIGNALS[dice.integers(3)], float(dice.uniform(0, 1.1 * stage.seconds))

        def after(child: int, number: int = number, delay: float = delay) -> None:
            time.sleep(delay)
            os.kill(child, number)

        force = None if not more else False
        more = more if not callable(stage.door.words) and stage.door.name[:8] == "pretrain" else ()
        said = heard(
            lambda more=more, force=force: stage.door.call(here, *more, force=force), after
        )
        found[signal.Signals(number).name] += 1
        found["in time"] += said.code not in (0, 2)
        if "nothing half-written was left" in said.text:
            drafts = [name for name in left_in(here) if ".lock-" not in name]  # empty, or a name
            left = [*drafts, *["a run that was stopped"] * is_running(here / "run")]
            found["claims"] += bool(left)
            if left:
                print(f"{stage.door.name}: {said.text} but {left}", file=sys.stderr)
    return found + stage.judge(here)


def is_running(run: Path) -> bool:
    path = run / "run.json"
    is_packing = status_of(run) == "packing"
    return is_packing or path.is_file() and json.loads(path.read_text())["status"] == "running"


def fill(stage: Stage, limits: tuple[int, ...] = LIMITS) -> Counter[str]:
    """Call a door where no file may grow beyond some bytes, then where there is room again."""
    found: Counter[str] = Counter()
    for limit in limits:
        here = stage.fresh()

        def work(here: Path = here, limit: int = limit) -> None:
            hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
            stage.door.call(here)

        said = heard(work)
        lines = [line for line in said.text.splitlines() if line.startswith("selftime: ")]
        is_one_line = len(lines) == 1 and "make room" in lines[0] and "Traceback" not in said.text
        found["full disks"] += 1
        found["refused"] += said.code == 1
        if said.code != 0 and not (said.code == 1 and is_one_line):
            found["not one line"] += 1
            print(f"{stage.door.name} at {limit}: {said.text}", file=sys.stderr)
        found += stage.judge(here)
    return found


Counts = dict[str, dict[str, Any]]
"""Counts of the doors by what happens to them."""


def judge_doors(stages: list[Stage], points: int | None, kills: int, seed: int) -> Counts:
    """Crashes, kills and full disks at some doors; prints their counts."""
    found: Counts = {"crashes": {}, "kills": {}, "disks": {}}
    dice = np.random.default_rng(seed)
    some = [s for s in stages if s.door.name.startswith(("pretrain", "race", "Model", "embed"))]
    hits = Counter(some[at % len(some)].door.name for at in range(kills if some else 0))
    for stage in stages:
        name, start = stage.door.name, time.perf_counter()
        found["crashes"][name] = crash(stage, points)
        if hits[name]:
            found["kills"][name] = sum((kill(stage, dice) for _ in range(hits[name])), Counter())
        if points is None or name.startswith(("Model", "pretrain, closed", "embed")):
            found["disks"][name] = fill(stage, LIMITS if points is None else LIMITS[:1])
        seconds = round(time.perf_counter() - start)
        counts = {what: dict(of[name]) for what, of in found.items() if name in of}
        print(f"{name}: {counts} in {seconds} s", flush=True)
    return found


def run(root: Path, args: argparse.Namespace) -> Counts:
    """All counts, the doors shared among some processes, which begin together."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore", DeprecationWarning)  # forks beside threads that sleep
    world = root / "world"
    world.mkdir()
    make_world(world)
    lighten()
    known = [door for door in doors(world) if any(word in door.name for word in args.doors)]
    warm(root, known)
    children = []
    for part in range(args.processes):
        children.append(os.fork())
        if children[-1] == 0:
            try:
                mine = [Stage(door, root) for door in known[part :: args.processes]]
                kills = len(range(part, args.kills, args.processes))
                found = judge_doors(mine, args.points, kills, args.seed + part)
                (root / f"{part}.json").write_text(json.dumps(found))
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(0)
    for child in children:
        os.waitpid(child, 0)
    parts = [json.loads((root / f"{part}.json").read_text()) for part in range(args.processes)]
    return {what: {k: v for part in parts for k, v in part[what].items()} for what in parts[0]}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.faults", description=__doc__)
    parser.add_argument("--points", type=int, help="of each door; every operation by default")
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--doors", nargs="+", default=[""], help="those with this in their names")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=RESULTS / "faults.json")
    args = parser.parse_args()
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as root:
        found = run(Path(root), args)
    zero = dict.fromkeys(("lost", "unresumable", "drafts"), 0)
    totals = {what: zero | sum(map(Counter, of.values()), Counter()) for what, of in found.items()}
    told = {"totals": totals, "doors": found, "seconds": round(time.perf_counter() - start)}
    told["made_with"] = current_versions()
    args.out.write_text(json.dumps(told, indent=1) + "\n")
    print(json.dumps(totals, indent=1), f"\nwritten to {args.out}")


if __name__ == "__main__":
    main()
