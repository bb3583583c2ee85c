"""The audit of views: a table for the terminal, and a picture of every strength."""

from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.table import Table
from rich.text import Text

from selftime.objectives.spectral import MIN_RETRIEVAL
from selftime.report.pictures.palette import CLASSES, FAINT, INK, SOFT, STRONG, canvas, headline
from selftime.tasks.audit.advice import (
    CONFUSES,
    DESTROYS,
    SAFE,
    UNCHANGED,
    WEAKLY,
    Effect,
    Invariance,
)
from selftime.tasks.audit.advice import ViewAudit as Audit
from selftime.tasks.comparison.gain import Gain

COLOURS = {DESTROYS: CLASSES[2], CONFUSES: CLASSES[6], WEAKLY: INK, SAFE: STRONG, UNCHANGED: SOFT}
"""By verdict."""
SHADES = (0.35, 0.65, 1.0)
"""From weak to strong."""
_Reading = Callable[[Effect], tuple[float, float, float] | None]
_EffectPanel = tuple[str, _Reading]
"""A title, and a function from an effect to its value and both ends of its interval."""


def audit_table(found: Invariance) -> Group:
    """List every view at its default strength, the worst first, with suggestions."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("view", style="bold", no_wrap=True)
    heads = ["at", "itself", *(DROPS if found.classes else ())]
    for name in heads:
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("suggestion", no_wrap=True)
    for audit in found.views:
        effect, style = audit.default, STYLES.get(audit.verdict, "")
        cells = _cells(effect, len(heads) - 1)
        table.add_row(audit.name, f"{effect.amount:g}", *cells, Text(audit.suggestion, style=style))
    notes = [Text(f"! {warning}") for warning in found.warnings()]
    return Group(table, *(Text(line) for line in audit_notes(found)), *notes)


DROPS = ("1-NN", "probe", "for good")
"""Columns that need labels, in points."""
STYLES = {DESTROYS: "bold red", CONFUSES: "yellow", SAFE: "green"}
"""In the terminal."""


def _cells(effect: Effect, count: int) -> list[str]:
    if not effect.changed:
        return ["–"] * count
    drops = [f"{round(drop.points):+d} ± {round(drop.margin)}" for drop in effect.drops]
    return [f"{effect.agreement:.0%}", *drops]


def audit_notes(found: Invariance) -> list[str]:
    """Say how the figures were measured."""
    lines = [
        f"Untrained features of {found.series:,} series, of which those that a view changed.",
        "itself: share that is still the nearest to its own view",
    ]
    if found.nearest is None or found.probe is None:
        return [*lines, f"Labels were not used: {found.note}."]
    clean = f"{found.nearest:.1%} and {found.probe:.1%}"
    return [
        *lines,
        f"1-NN, probe: points lost on held-out series (clean {clean} right), 95 % intervals",
        "for good: points lost even to a probe that was fitted on views too",
    ]


def audit_picture(found: Invariance, *, title: str) -> Figure:
    """Draw a row per view, a panel per measure, and a dot per strength, dark is strong."""
    panels = _panels(labelled=found.classes > 0)
    rows = len(found.views)
    with canvas(9.5 if len(panels) > 1 else 6.5, 1.25 + 0.26 * rows) as figure:
        height = figure.get_figheight()
        grid = np.ravel(figure.subplots(1, len(panels), sharey=True))
        for axes, (name, read) in zip(grid, panels, strict=True):
            _draw(axes, found.views, read)
            axes.set_title(name, fontsize=9, loc="left", pad=6)
        _dress_rows(grid, found.views)
        edges = (0.14, 0.75) if len(panels) > 1 else (0.21, 0.66)
        figure.subplots_adjust(edges[0], 0.3 / height, edges[1], 1 - 0.95 / height, 0.12)
        headline(figure, title, _subtitle(found))
    return figure


def _panels(*, labelled: bool) -> list[_EffectPanel]:
    panels: list[_EffectPanel] = [("finds itself, %", _agreement)]
    if labelled:
        panels += [
            ("1-NN loses, points", lambda effect: _ends(effect.nearest)),
            ("probe loses", lambda effect: _ends(effect.probe)),
            ("lost for good", lambda effect: _ends(effect.relearned)),
        ]
    return panels


def _agreement(effect: Effect) -> tuple[float, float, float] | None:
    share = 100 * effect.agreement
    return (share, share, share) if effect.changed else None


def _ends(drop: Gain | None) -> tuple[float, float, float] | None:
    return (drop.points, drop.low, drop.high) if drop else None


def _draw(axes: Axes, views: Sequence[Audit], read: _Reading) -> None:
    """Draw dots and intervals of one measure."""
    is_share = read is _agreement
    for row, audit in enumerate(views):
        shades = SHADES if len(audit.effects) > 1 else SHADES[-1:]
        off = np.linspace(-0.22, 0.22, len(shades)) if len(shades) > 1 else [0.0]
        for effect, shade, dy in zip(audit.effects, shades, off, strict=True):
            if found := read(effect):
                (value, low, high), colour = found, COLOURS[audit.verdict]
                axes.plot([low, high], [row + dy] * 2, color=colour, lw=1.2, alpha=shade)
                axes.plot([value], [row + dy], "o", ms=4, color=colour, alpha=shade, mew=0)
    axes.axvline(100 * MIN_RETRIEVAL if is_share else 0, color=SOFT, lw=0.8, ls=":", zorder=0)
    if is_share:
        axes.set_xlim(-4, 104)
    axes.grid(axis="x", color=FAINT, lw=0.6)
    axes.tick_params(length=0, labelsize=8, labelcolor=SOFT)
    axes.spines["left"].set_visible(False)


def _dress_rows(grid: np.ndarray, views: Sequence[Audit]) -> None:
    """Write names on the left, suggestions on the right, the worst view on top."""
    grid[0].set_yticks(range(len(views)), [audit.name for audit in views], color=INK)
    grid[0].set_ylim(len(views) - 0.4, -0.6)
    for row, audit in enumerate(views):
        grid[-1].annotate(
            audit.suggestion,
            (1, row),
            (8, 0),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            va="center",
            fontsize=8,
            color=COLOURS[audit.verdict],
            fontweight="bold" if audit.verdict == DESTROYS else "normal",
            annotation_clip=False,
        )
    for axes in grid:
        for row in range(1, len(views), 2):
            axes.axhspan(row - 0.5, row + 0.5, color=FAINT, alpha=0.25, lw=0, zorder=-1)


def _subtitle(found: Invariance) -> str:
    base = f"{found.series:,} series seen through each view; from weak (pale) to strong (dark)"
    return base + ("; lines are 95 % intervals" if found.classes else f"; {found.note}")
