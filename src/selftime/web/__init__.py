"""The web: what every server here has in common, whatever it serves."""

import importlib.util
from collections.abc import Sequence


def check_packages(what: str, extra: str, names: Sequence[str]) -> None:
    """Check that the packages of an extra are installed.

    Raises:
        ValueError: one of them is not.
    """
    lacking = [name for name in names if importlib.util.find_spec(name) is None]
    if lacking:
        raise ValueError(
            f"{what} needs the package {', '.join(lacking)}: pip install 'selftime[{extra}]'"
        )
