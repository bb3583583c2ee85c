"""Results of the audit of views, and the advice that follows for each view."""

from dataclasses import asdict, dataclass
from itertools import takewhile
from typing import Any

from selftime.objectives.spectral import MIN_RETRIEVAL
from selftime.tasks.comparison.gain import Gain
from selftime.views.registry import Strength

_SMALL_DROP = 2.0
"""Points; a drop counts if even the lower end of its interval is beyond. Sixty strengths are tried:
some intervals leave out 0 by chance, and hardly one goes so far."""
_SURE_DROP = 5.0
"""Points; labels confirm a view if not even the upper end of an interval is beyond."""
DESTROYS, CONFUSES, WEAKLY, SAFE, UNCHANGED = (
    "destroys labels: leave out",
    "confuses series: leave out",
    "use weakly",
    "safe",
    "changes nothing here",
)
"""Verdicts on a view, the worst first: labels are clearly lost at every strength, even to a probe
that learns from views; no strength is harmless; some are; all are; no series is changed."""


@dataclass(frozen=True, kw_only=True)
class Effect:
    """The effect of a view at one strength on the series that it changed at all.

    Labels give the points that are lost by 1-NN among clean series, by a probe of clean series, and
    even by a probe fitted on views as well: information that is in the series and not in the views.
    """

    amount: Strength
    changed: float  # share of the series that it changed
    agreement: float  # share of these that are still nearest to their own view, 0 to 1
    nearest: Gain | None = None
    probe: Gain | None = None
    relearned: Gain | None = None

    @property
    def drops(self) -> tuple[Gain, ...]:
        """Drops of accuracy; empty without labels."""
        return tuple(d for d in (self.nearest, self.probe, self.relearned) if d is not None)

    @property
    def is_harmless(self) -> bool:
        """True without a clear drop where labels or neighbours confirm that there is none."""
        if any(is_clear(drop) for drop in self.drops):
            return False
        labels_confirm = bool(self.drops) and all(drop.high <= _SURE_DROP for drop in self.drops)
        return self.agreement >= MIN_RETRIEVAL or labels_confirm

    @property
    def destroys(self) -> bool:
        """True where even a probe that learned from views cannot read labels from them."""
        return self.relearned is not None and is_clear(self.relearned)

    @property
    def harm(self) -> float:
        """Largest drop in points; without labels the share that is nearer to another view."""
        return max((d.points for d in self.drops), default=100 * (1 - self.agreement))

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        drops = {name: getattr(self, name) for name in ("nearest", "probe", "relearned")}
        return asdict(self) | {name: drop and drop._asdict() for name, drop in drops.items()}


def is_clear(drop: Gain) -> bool:
    """Return whether a drop is neither chance nor small."""
    return drop.low > _SMALL_DROP


@dataclass(frozen=True, kw_only=True)
class ViewAudit:
    """Effects of a view from weak to strong, and the argument (or arguments) of its strength."""

    name: str
    keyword: str
    effects: tuple[Effect, ...]

    @property
    def default(self) -> Effect:
        """The effect at the default strength."""
        return self.effects[len(self.effects) // 2]

    @property
    def suggested(self) -> Strength | None:
        """The largest strength up to which all are harmless; None if the weakest is not."""
        fine = list(takewhile(lambda effect: effect.is_harmless, self.effects))
        return fine[-1].amount if fine else None

    @property
    def verdict(self) -> str:
        """One of the five verdicts."""
        if not any(effect.changed for effect in self.effects):
            return UNCHANGED
        if self.suggested is None:
            return DESTROYS if all(e.destroys for e in self.effects) else CONFUSES
        return SAFE if self.suggested == self.effects[-1].amount else WEAKLY

    @property
    def suggestion(self) -> str:
        """The verdict, with the strength where it has a limit."""
        if self.verdict != WEAKLY:
            return self.verdict
        falling = self.effects[0].amount > self.effects[-1].amount
        return f"{WEAKLY}: {self.keyword} {'≥' if falling else '≤'} {self.suggested:g}"

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        names = ("name", "suggestion", "verdict", "keyword", "suggested")
        effects = [effect.to_dict() for effect in self.effects]
        return {name: getattr(self, name) for name in names} | {"effects": effects}

    def order(self) -> tuple[int, float]:
        """Return a sort key that puts the worst first."""
        worst = (DESTROYS, CONFUSES, WEAKLY, SAFE, UNCHANGED).index(self.verdict)
        return worst, -self.default.harm


@dataclass(frozen=True, kw_only=True)
class Invariance:
    """Results of the audit of all views."""

    series: int  # number of series that were tried
    classes: int  # number of classes; 0 where labels were not used
    nearest: float | None  # share of held-out clean series that 1-NN gets right
    probe: float | None  # share that the probe gets right; None without labels, as of 1-NN
    note: str  # the reason why labels were not used; empty where they were
    views: tuple[ViewAudit, ...]  # the most harmful first

    def warnings(self) -> list[str]:
        """Return a line for each view that must not be used here."""
        return [
            f"{audit.name} destroys labels here ({audit.default.relearned} points lost even to "
            "who learned from it): leave it out"
            for audit in self.views
            if audit.verdict == DESTROYS
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "series": self.series,
            "classes": self.classes,
            "clean": {"nearest": self.nearest, "probe": self.probe},
            "note": self.note,
            "warnings": self.warnings(),
            "views": [audit.to_dict() for audit in self.views],
        }
