"""Models behind an address: bodies in, tables out, requests encoded together, streams with a state.

Needs the packages of the extra ``serve``.

Raises:
    ValueError: one of them is not installed.
"""

from importlib.util import find_spec

_NEEDED = ("fastapi", "uvicorn", "prometheus_client")
_LACKING = [name for name in _NEEDED if find_spec(name) is None]
if _LACKING:
    raise ValueError(
        f"serving needs the package {', '.join(_LACKING)}: pip install 'selftime[serve]'"
    )
