"""``selftime inspect``: what is in a data set. It does not wait for torch, but for the views."""

from pathlib import Path
from typing import Any, NamedTuple

from selftime.cli import terminal
from selftime.cli.outputs import check_file
from selftime.data.series import SeriesSet
from selftime.report.inspection import inspected, inspection_table

PICTURES = dict.fromkeys((".png", ".svg", ".pdf"))
"""How the picture of the views may end."""


class Look(NamedTuple):
    """What is to be looked at beside the series themselves.

    Attributes:
        views: whether every view is tried on them.
        out: picture of the views, if one is wanted.
        title: what the data are, for the picture.
        seed: fixes everything random.
        force: replace what stands at ``out``.
    """

    views: bool = False
    out: str | None = None
    title: str = ""
    seed: int = 0
    force: bool = False


def inspect(series: SeriesSet, look: Look = Look(), *, as_json: bool) -> None:  # noqa: B008
    """Print what is in a data set, what is worth a look and, if asked, what views do to it.

    Raises:
        ValueError: a picture of the views without the views.
        FileExistsError: something stands where the picture should go.
    """
    if look.out and not look.views:
        raise ValueError("got --out, which is the picture of the views: add --views")
    if look.out:
        check_file(Path(look.out), PICTURES, force=look.force)
    found = inspected(series)
    result: dict[str, Any] = found.to_dict()
    lines: list[Any] = [inspection_table(found)]
    if look.views:
        from selftime.cli.auditing import audited

        result["views"], more = audited(series, title=look.title, seed=look.seed, out=look.out)
        lines += ["", *more]
    terminal.show(result, *lines, as_json=as_json)
