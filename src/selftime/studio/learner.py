"""The learner: vectors, a probe of the labels and a queue of what to label next, all beside them.

It works in a thread of its own and begins anew with whatever labels are there, so that nobody who
labels waits for it.
"""

import logging
from dataclasses import dataclass, field, replace
from threading import Event, Thread
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int16, Int64, UInt8
from scipy.special import softmax

from selftime.data.splits import draw_stratified, folds_by_class, folds_by_group
from selftime.engine.solve import sample_of
from selftime.studio.collection import Collection
from selftime.studio.session import Accuracy, LabelSession
from selftime.tasks.evaluation.reliability import bootstrap_interval
from selftime.tasks.probing.heads import SIMULATIONS
from selftime.tasks.probing.probe import NEIGHBOURS_AVERAGED, Probe
from selftime.tasks.probing.reference_bank import neighbour_rows
from selftime.tasks.selection.suggest import (
    LabelledVectors,
    reasons_in_words,
    select_rows,
    uncertainty_in_words,
)

log = logging.getLogger(__name__)
QUEUE, POOL = 16, 2_048
"""Series that are suggested at a time, and how many they are chosen from."""
MOST_LABELS = 2_000
"""Labels that the probe learns from; of more, so many are drawn, class by class."""
FOLDS, FEWEST_JUDGED = 10, 10
"""Folds of labels that are held out in turn, and labels from which their share is a figure."""
_LISTED = 12
"""Series of which the probe is unsure, and labels that it doubts, that are listed."""
_DOUBT = 0.5
"""Probability of another class from which the label of a series is doubted."""
_ROWS = 4_096
_IDLE = 0.05
"""Seconds that labels may come together before the learner begins with them."""


class Labelling(NamedTuple):
    """Labels at one moment: their version, the classes, and the code of each series."""

    version: int
    names: list[str]
    codes: Int16[np.ndarray, "N"]
    skips: Bool[np.ndarray, "N"]

    @property
    def rows(self) -> Int64[np.ndarray, "L"]:
        """The series that have a label."""
        return np.flatnonzero(self.codes >= 0)


@dataclass(frozen=True)
class Findings:
    """Findings of the learner; each part says of which version of the labels it is.

    Attributes:
        stage: the work that vectors take: its name, how much is done, and of how much.
        failure: why there are no vectors, in words.
        queue: rows to label next, with reasons.
        queued: the version of the labels that the queue is of.
        predicted: (N,) the most likely class of each series.
        confidence: (N,) its probability, 255 for 1.
        learned: the version that the predictions are of; -1 without any.
        facts: what the page says of the probe.
    """

    stage: tuple[str, int, int] | None = ("embedding", 0, 1)
    failure: str = ""
    queue: tuple[tuple[int, str], ...] = ()
    queued: int = -1
    predicted: Int16[np.ndarray, "N"] | None = None
    confidence: UInt8[np.ndarray, "N"] | None = None
    learned: int = -1
    facts: dict[str, Any] = field(default_factory=dict)


class Learner:
    """Learns from the labels of a session, again and again.

    Args:
        collection: what is labelled.
        session: the labels.

    Attributes:
        found: what is known by now.
        count: rises with every change of it.
    """

    def __init__(self, collection: Collection, session: LabelSession) -> None:
        self.collection, self.session = collection, session
        self.found, self.count = Findings(), 0
        self.wake, self.ending = Event(), False
        self.near: np.ndarray | None = None
        self.thread = Thread(target=self._run, name="learner", daemon=True)

    def start(self) -> None:
        """Begin to work."""
        self.thread.start()

    def stop(self) -> None:
        """End; what is under way is finished or let go."""
        self.ending = True
        self.wake.set()
        self.thread.join(timeout=2)

    def _tell(self, found: Findings) -> None:
        self.found, self.count = found, self.count + 1

    def _run(self) -> None:
        try:
            self._embed()
        except InterruptedError:
            return
        except Exception as error:  # the page says it: looking at series goes on without vectors
            log.exception("no vectors")
            self._tell(replace(self.found, stage=None, failure=str(error) or repr(error)))
        self.wake.set()
        seen = -1
        while not self.ending:
            self.wake.wait()
            self.wake.clear()
            if self.ending:
                return
            self.wake.wait(_IDLE)
            labels = Labelling(*self.session.snapshot())
            if labels.version == seen:
                continue
            seen = labels.version
            try:
                if self.collection.vectors is not None:
                    self.learn(labels)
            except Exception as error:  # labels are safe, and the next ones may do
                log.exception("the learner failed")
                facts = self.found.facts | {"problem": str(error) or repr(error)}
                self._tell(replace(self.found, facts=facts))

    def _embed(self) -> None:
        """Bring in the vectors, and where they lie beside those of the model's own series."""

        def tell(what: str, done: int, of: int, detail: str = "") -> None:  # noqa: ARG001
            if self.ending:
                raise InterruptedError("the studio ends")
            self._tell(replace(self.found, stage=(what, done, of)))

        self.collection.embed(self.session.folder, tell)
        vectors, bank = self.collection.vectors, self.collection.model.reference_bank
        assert vectors is not None
        if bank is not None:
            tell("finding neighbours", 0, 1)
            blocks = [vectors[i : i + _ROWS] for i in range(0, len(vectors), _ROWS)]
            near = [neighbour_rows(np.asarray(x), bank, NEIGHBOURS_AVERAGED) for x in blocks]
            self.near = np.concatenate(near)
        self._tell(replace(self.found, stage=None))

    def learn(self, labels: Labelling) -> None:
        """Find the queue, what the probe says of every series, and how often it is right."""
        rows = self._some(labels)
        self._tell(replace(self.found, queue=self.queue_of(labels, rows), queued=labels.version))
        classes = np.unique(labels.codes[rows])
        if len(classes) < 2:
            nothing = Findings(stage=None, queue=self.found.queue, queued=labels.version)
            self._tell(replace(nothing, facts={"labels": len(rows), "classes": len(classes)}))
            return
        codes, probabilities = self.predict(labels, rows)
        best = probabilities.argmax(axis=1)
        confidence = np.rint(255 * probabilities.max(axis=1)).astype(np.uint8)
        facts: dict[str, Any] = {
            "labels": len(rows),
            "classes": len(classes),
            "drawn": len(labels.rows) > len(rows),
        }
        facts |= {"unsure": self._unsure(labels, codes, probabilities)}
        kept = {name: self.found.facts[name] for name in ("judged",) if name in self.found.facts}
        self._tell(
            replace(self.found, predicted=codes[best], confidence=confidence,
                    learned=labels.version, facts=facts | kept)
        )  # fmt: skip
        if self.wake.is_set() and labels.version != self.session.version:
            return  # others came meanwhile: their accuracy is the one that counts
        judged = self.judge(labels, rows)
        self._tell(replace(self.found, facts=facts | {"judged": judged}))

    def _some(self, labels: Labelling) -> Int64[np.ndarray, "L"]:
        """Return the labelled series that the probe learns from."""
        rows, rng = labels.rows, np.random.default_rng(0)
        if len(rows) <= MOST_LABELS:
            return rows
        share = MOST_LABELS / len(rows)
        few = lambda counts: np.maximum(np.round(share * counts), 2)  # noqa: E731
        return np.asarray(rows[draw_stratified(labels.codes[rows], few, rng)])

    def queue_of(
        self, labels: Labelling, rows: Int64[np.ndarray, "L"]
    ) -> tuple[tuple[int, str], ...]:
        """Return what to label next, with reasons; skipped series come once all others are done."""
        vectors, model = self.collection.vectors, self.collection.model
        assert vectors is not None
        free = np.flatnonzero((labels.codes < 0) & ~labels.skips)
        free = free if len(free) else np.flatnonzero(labels.codes < 0)
        if not len(free):
            return ()
        pool = free[sample_of(len(free), 0, POOL)]
        known = None
        if len(rows):
            names = np.array(labels.names)[labels.codes[rows]]
            known = LabelledVectors(np.asarray(vectors[rows]), names, model.reference_bank)
        selected = select_rows(np.asarray(vectors[pool]), min(QUEUE, len(pool)), known)
        reasons = reasons_in_words(selected, known)
        return tuple(zip(pool[selected.rows].tolist(), reasons, strict=True))

    def predict(
        self, labels: Labelling, rows: Int64[np.ndarray, "L"]
    ) -> tuple[Int16[np.ndarray, "K"], Float[np.ndarray, "N K"]]:
        """Return the classes of a probe, and its probabilities of them for every series."""
        vectors, bank = self.collection.vectors, self.collection.model.reference_bank
        assert vectors is not None
        probe = Probe(simulations=SIMULATIONS, reference_bank=bank)
        probe.fit(np.asarray(vectors[rows]), labels.codes[rows])
        parts = [slice(i, i + _ROWS) for i in range(0, len(vectors), _ROWS)]
        near = [None if self.near is None else self.near[part] for part in parts]
        scores = [
            probe.scores_beside(np.asarray(vectors[part]), own)
            for part, own in zip(parts, near, strict=True)
        ]
        return probe.classes_, softmax(np.concatenate(scores) / probe.temperature_, axis=1)

    def _unsure(
        self, labels: Labelling, codes: Int16[np.ndarray, "K"], probabilities: np.ndarray
    ) -> list[dict[str, Any]]:
        """Return unlabelled series between whose two most likely classes the least margin is."""
        ordered = np.sort(probabilities, axis=1)
        margin = np.where(labels.codes < 0, ordered[:, -1] - ordered[:, -2], np.inf)
        rows = np.argsort(margin, kind="stable")[:_LISTED]
        names = np.array(labels.names)[codes]
        return [
            {"row": row, "words": uncertainty_in_words(probabilities[row], names)}
            for row in rows.tolist()
            if np.isfinite(margin[row])
        ]

    def judge(self, labels: Labelling, rows: Int64[np.ndarray, "L"]) -> dict[str, Any]:
        """Return how often probes are right on labels that they did not learn from.

        Labelling are held out fold by fold, subjects and recordings as wholes where there are
        enough; only those count whose class has another label.
        """
        codes = labels.codes[rows]
        sizes = np.bincount(codes)[codes]
        folds, whole = self.folds_of(labels, rows)
        given, sure = np.full(len(rows), -1, np.int64), np.zeros(len(rows))
        vectors, bank = self.collection.vectors, self.collection.model.reference_bank
        assert vectors is not None
        for fold in np.unique(folds):
            held, rest = folds == fold, folds != fold
            if len(np.unique(codes[rest])) < 2:
                continue
            if self.ending:
                break
            probe = Probe(reference_bank=bank)
            probe.fit(np.asarray(vectors[rows[rest]]), codes[rest])
            found = probe.predict_proba(np.asarray(vectors[rows[held]]))
            given[held], sure[held] = probe.classes_[found.argmax(axis=1)], found.max(axis=1)
        judged = (sizes > 1) & (given >= 0)
        doubts = np.flatnonzero(judged & (given != codes) & (sure > _DOUBT))
        doubts = doubts[np.argsort(-sure[doubts], kind="stable")][:_LISTED]
        names = labels.names
        facts: dict[str, Any] = {
            "version": labels.version,
            "labels": len(labels.rows),
            "judged": int(judged.sum()),
            "wanted": FEWEST_JUDGED,
            "folds": int(folds.max()) + 1,
            "whole": whole,
            "doubts": [
                {
                    "row": int(rows[k]),
                    "words": f"labelled {names[codes[k]]}, the others say {names[given[k]]} "
                    f"({100 * sure[k]:.0f} %)",
                }
                for k in doubts.tolist()
            ],
        }
        if judged.sum() >= FEWEST_JUDGED:
            right = (given == codes)[judged]
            low, high = bootstrap_interval(right)
            accuracy = Accuracy(len(labels.rows), float(right.mean()), low, high)
            self.session.note_accuracy(accuracy)
            facts |= accuracy._asdict()
        return facts | {"curve": [one._asdict() for one in self.session.accuracies()]}

    def folds_of(
        self, labels: Labelling, rows: Int64[np.ndarray, "L"]
    ) -> tuple[Int64[np.ndarray, "L"], bool]:
        """Return a fold for each labelled series, and whether groups stay whole.

        Windows of one recording are a group; with fewer groups than two for each of some folds
        every series counts by itself, or one group would take most labels away.
        """
        rng, groups = np.random.default_rng(0), self.collection.entries.groups
        if groups is not None and len(np.unique(groups[rows])) >= FOLDS:
            part = replace(self.collection.entries[rows], labels=labels.codes[rows])
            return folds_by_group(part, FOLDS, rng), True
        return folds_by_class(labels.codes[rows], None, min(FOLDS, len(rows)), rng), False
