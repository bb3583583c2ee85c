"""``open_studio``: a page of this machine on which series are labelled, until Ctrl-C."""

import os
import re
import secrets
import sys
import webbrowser
from contextlib import suppress
from pathlib import Path
from threading import Timer
from typing import Any

from selftime.data.files import place_of
from selftime.data.places import check_place, only_writer
from selftime.data.readers import kind_for, read
from selftime.data.series import SeriesSet
from selftime.door import tell
from selftime.engine.model import ModelOrFolder, model_at
from selftime.studio.app import make_studio
from selftime.studio.collection import Collection
from selftime.studio.session import TABLE, LabelSession
from selftime.web.sockets import listen, run_app

HOST, PORT = "127.0.0.1", 8010
_GRACE = 3
"""Seconds that what is under way has to finish at the end."""


def open_studio(  # noqa: PLR0913 - a front door: each is one thing that people decide
    model: ModelOrFolder,
    x: Any,
    *,
    windows: int | str | None = None,
    stride: int | str | None = None,
    session: str | os.PathLike[str] | None = None,
    empty: bool = False,
    port: int = PORT,
    browser: bool = True,
) -> Path:
    """Open a page on which series are looked at, found and labelled; return once it is ended.

    The page is served to this machine alone, at an address with a token. Each label is in the
    folder of the session, on disk, before it counts; another start with the same data goes on
    where the last one ended. Needs ``pip install 'selftime[studio]'``.

    Example:
        >>> import selftime as st
        >>> st.open_studio("no-such-folder", st.sample("ECG"))  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        selftime...ModelError: no-such-folder is not a model folder: config.json is missing

    Args:
        model: pretrained, or its folder.
        x: the series, whatever :func:`selftime.read` takes; labels that they have are where a new
            session begins.
        windows: label windows of recordings: steps or a duration such as "10min".
        stride: from one window to the next; a window when None.
        session: folder of the labels; ``studio-`` and the name of the data when None.
        empty: begin a new session without the labels of the series.
        port: of 127.0.0.1; 0 takes any that is free.
        browser: open the page in the browser, where there is one.

    Returns:
        The file of labels that every command reads; it is not there without a label.

    Raises:
        SeriesError: bad input, or a session of other data.
        OSError: the port is taken, or another process writes the session.
        ValueError: missing packages.
    """
    found = model_at(model)
    series = read(x, kind=kind_for(x, found.kind))
    collection = Collection(found, series, windows, stride)
    folder = place_of(session if session is not None else f"studio-{stem_of(series)}")
    check_place(folder)
    token = secrets.token_urlsafe(24)
    with only_writer(folder), listen(HOST, port) as listener:
        kept = LabelSession(folder, collection.entries, empty=empty)
        tell(kept.notes)
        address = f"http://{HOST}:{listener.getsockname()[1]}/?token={token}"
        count = int((kept.codes >= 0).sum())
        kept_in = f"{count:,} of {len(collection):,} series labelled, kept in {folder}"
        tell([f"the studio is at {address}", f"{kept_in}; Ctrl-C ends"])
        opening = Timer(0.5, open_browser, [address])
        opening.daemon = True
        if browser:
            opening.start()
        app = make_studio(collection, kept, token)
        try:
            with suppress(KeyboardInterrupt):  # the way in which it is ended
                run_app(app, listener, grace=_GRACE, ending=app.state.desk.end)
        finally:
            opening.cancel()
            kept.close()
            count = int((kept.codes >= 0).sum())
            path = folder / TABLE
            where = f" are in {path}" if count else f" were made; the session is in {folder}"
            tell([f"{count or 'no'} labels{where}"])
    return path


def stem_of(series: SeriesSet) -> str:
    """Return a name for the session of some data, from where these came from."""
    last = re.split(r"[/\\]", (series.source or "").rstrip("/\\"))[-1]
    stem = re.sub(r"[^\w-]+", "-", re.sub(r"^sample:", "", last).split(".")[0]).strip("-")
    return stem[:60] or "labels"


def open_browser(address: str) -> None:
    """Open an address in the browser; without one nothing happens, the address was printed."""
    try:
        webbrowser.get()
    except webbrowser.Error:
        return
    shown = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if sys.platform.startswith("linux") and not shown:
        return  # a browser of the terminal would take the keyboard
    webbrowser.open(address)
