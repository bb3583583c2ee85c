"""The picture of guesses: series as they are, as they were seen, and filled in."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from selftime.data.signals import Film, Images, Text
from selftime.engine.guesses import Guesses
from selftime.report.pictures.palette import INK, SOFT, STRONG, canvas, headline
from selftime.report.pictures.signals import draw_series, is_curve, ranges_of
from selftime.report.pictures.texts import MOST_SYMBOLS, draw_text, guessed_text

_TITLES = ("as it is", "as it was seen", "filled in")


def guess_picture(found: Guesses) -> Figure:
    """Draw each series three times, or of curves once: seen in grey, hidden dashed, the guess.

    Guesses of symbols are in brackets: "[a]" where right, "[b≠a]" in place of an a.
    """
    kind, n = found.whole.kind, len(found.whole)
    beside = 2 if isinstance(kind, Images) else 1
    rows = -(-n // beside)
    with canvas(8.0, 1.0 + (0.6 if isinstance(kind, Film) else 0.95) * rows) as figure:
        tall = figure.get_figheight()
        top, bottom = 1 - 0.95 / tall, 0.08 / tall
        outer = figure.add_gridspec(
            rows, beside, left=0.02, right=0.98, top=top, bottom=bottom, wspace=0.06, hspace=0.12
        )
        for i in range(n):
            cell = outer[i // beside, i % beside]
            if is_curve(kind):
                _draw_curve(figure.add_subplot(cell), found, i)
                continue
            parts = cell.subgridspec(1, 3, wspace=0.06)
            for k, title in enumerate(_TITLES):
                axes = figure.add_subplot(parts[k])
                _draw_part(axes, found, i, k)
                if i < beside:
                    axes.set_title(title, fontsize=9, color=SOFT, pad=3)
        share = 100 * np.mean([found.hidden(i).mean() for i in range(n)])
        words = f"{share:.0f} % of {n} series was hidden" if n > 1 else f"{share:.0f} % was hidden"
        legend = "; grey was seen, dashed hidden, blue is the guess" if is_curve(kind) else ""
        headline(figure, "What was hidden, and what was guessed", words + legend)
    return figure


def _draw_part(axes: Axes, found: Guesses, i: int, k: int) -> None:
    kind, values = found.whole.kind, (found.whole.series(i), found.seen(i), found.filled(i))
    if isinstance(kind, Text) and k == 2:
        whole, hidden = values[0][0], found.hidden(i)[0]
        pieces = guessed_text(whole, values[2][0], hidden, kind, MOST_SYMBOLS)
        draw_text(axes, "".join(piece.text for piece in pieces))
        axes.set_xticks([])
        axes.set_yticks([])
    else:
        draw_series(axes, values[k], kind, ranges_of(found.whole), colour=STRONG, frames=3)
    axes.spines[:].set_visible(False)


def _draw_curve(axes: Axes, found: Guesses, i: int) -> None:
    """Draw the first channel of a series."""
    whole, hidden, guess = found.whole.series(i)[0], found.hidden(i)[0], found.made.series(i)[0]
    axes.plot(np.where(hidden, np.nan, whole), color=SOFT, lw=1.1, alpha=0.7)
    axes.plot(np.where(hidden, whole, np.nan), color=INK, lw=1.0, ls=(0, (2, 2)))
    axes.plot(guess, color=STRONG, lw=1.4)
    axes.margins(x=0.01)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
