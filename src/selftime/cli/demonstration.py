"""``selftime demo``: the whole way on bundled speech, from raw series to a verdict."""

import time
from itertools import count
from pathlib import Path

from selftime.cli import terminal
from selftime.cli.evaluating import judged_at_most, write_evaluation
from selftime.cli.judging import told_of, write_comparison
from selftime.cli.learning import learned, run_of, write_run
from selftime.cli.lesson import Lesson
from selftime.cli.outputs import EVALUATION, check_folder, whole_folder
from selftime.cli.reporting import REPORT, write_report
from selftime.data.samples import sample
from selftime.report.overview import overview
from selftime.report.palette import save_picture
from selftime.tasks.compare import compare

SPEECH = "JapaneseVowels"
TITLE = "Nine speakers told apart by two spoken vowels"


def demo(out: str | None, *, force: bool, encoder: str, as_json: bool) -> None:
    """Learn, compare, draw, and say where everything lies."""
    target = Path(out) if out else free_folder("selftime-demo", force=force)
    check_folder(target, force=force)
    train, test = sample(SPEECH, "train"), sample(SPEECH, "test")
    terminal.note(f"{len(train)} utterances to learn from, {len(test)} to be judged on.")
    order = Lesson(f"sample:{SPEECH}:train", encoder=encoder)
    with terminal.progress() as told:
        start = time.perf_counter()
        model = learned(train, order, told)
        learning = time.perf_counter() - start
        comparison = compare(model, train, test, progress=told)
        told("drawing", 0, 1)
        with whole_folder(target, force=force) as folder:
            run = run_of(model, order, "demo", learning)
            write_run(folder, model, run)
            judged = judged_at_most(model, train, test, comparison.budgets)
            sources = (f"sample:{SPEECH}:train", f"sample:{SPEECH}:test")
            write_evaluation(folder / EVALUATION, judged, sources)
            write_report(folder, model, test, run, comparison, judged)
            write_comparison(folder, comparison, model, test, title=TITLE)
            save_picture(overview(train, title="Nine speakers"), folder / "overview.png")
    seconds = time.perf_counter() - start
    result, lines = told_of(comparison)
    files = sorted(str(path) for path in target.iterdir())
    files.sort(key=lambda path: not path.endswith(REPORT))
    lines = [
        f"{TITLE}: {len(train)} series, learned from without their labels in {learning:.0f} s.",
        *lines,
        f"Done in {seconds:.0f} s. Look at:",
        *(f"  {file}" for file in files),
    ]
    terminal.show(result | {"files": files, "seconds": seconds}, *lines, as_json=as_json)


def free_folder(name: str, *, force: bool) -> Path:
    """``name``, or ``name-2``, ``name-3``, … where it is taken and may not be replaced."""
    if force or not Path(name).exists():
        return Path(name)
    return next(path for n in count(2) if not (path := Path(f"{name}-{n}")).exists())
