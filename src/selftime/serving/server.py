"""``serve``: saved folders behind an address, until the process is asked to end."""

import os
from collections.abc import Sequence

from selftime.door import tell
from selftime.serving.app import make_app
from selftime.serving.limits import limits_of
from selftime.web.sockets import is_local, listen, run_app

KEY_VARIABLE = "SELFTIME_API_KEY"
"""The variable of the environment that holds the key of requests."""


def serve(  # noqa: PLR0913 - a front door: each is one thing that people decide
    folders: str | Sequence[str],
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    max_body: int | str = "16 MB",
    max_series: int = 1_000,
    max_length: int = 100_000,
    timeout: float = 30.0,
    batch_wait: float = 0.0,
) -> None:
    """Serve saved folders over HTTP until SIGTERM or Ctrl-C; what is running is finished first.

    Where the environment has ``SELFTIME_API_KEY``, requests need it as ``Authorization: Bearer``.
    A folder that is replaced is opened anew within seconds. Needs ``pip install
    'selftime[serve]'``.

    Example:
        >>> import selftime as st
        >>> st.serve(["speakers", "pumps=no-such-folder"], port=8001)  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        selftime...ModelError: speakers is not a model folder: config.json is missing

    Args:
        folders: what :func:`selftime.load` opens, each a path or ``name=path``.
        host: address to listen at.
        port: 0 takes any that is free.
        max_body: bytes of a request, or text such as "16 MB".
        max_series: series of a request.
        max_length: timepoints of a series.
        timeout: seconds that a body may take to arrive, and an answer to be computed.
        batch_wait: milliseconds that a request waits for others, to be encoded together.

    Raises:
        ValueError: folders that cannot be served, limits out of range, or missing packages.
        OSError: the address is taken or cannot be had.
    """
    limits = limits_of(max_body, max_series, max_length, timeout, batch_wait)
    names = [folders] if isinstance(folders, str) else list(folders)
    key = os.environ.get(KEY_VARIABLE)
    app = make_app(names, limits, key)
    with listen(host, port) as listener:
        where = f"http://{host}:{listener.getsockname()[1]}"
        tell([f"serving {', '.join(app.state.service.shelf.served)} at {where}, see {where}/docs"])
        if key is None and not is_local(host):
            tell([f"whoever reaches {host} may ask: set {KEY_VARIABLE} to ask for a key"])
        run_app(app, listener, grace=int(timeout) + 1)
