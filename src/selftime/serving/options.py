"""Options of a task, which stand after ``?``: what each says, and how it is read."""

from collections.abc import Mapping
from typing import Any

from selftime.web.replies import Refusal
from selftime.web.requests import short

OF_TASKS: dict[str, dict[str, str]] = {
    "search": {
        "k": "hits of each query, 1 to 1,000; 10 where it is left out",
        "only_id": "hits of these ids alone, with * and ?",
        "only_label": "hits of these labels alone, with * and ?",
        "after": "hits that begin at this time or step, or later",
        "before": "hits that end at this time or step, or earlier",
        "apart": "window lengths between hits of a recording; 1 where it is left out",
        "exact": "true: look at every entry of an approximate index",
    }
}
"""Options of a task, and what each says."""
WHERE_WORDS = {"id": "only_id", "label": "only_label", "start": "after", "end": "before"}
"""Those that say which entries of an index may be hits, by what they look at."""


def search_options(asked: Mapping[str, str]) -> dict[str, Any]:
    """Return options of a search that stand after ``?``, called as the command calls them.

    Raises:
        Refusal: one that cannot be read.
    """
    where = {name: asked[word] for name, word in WHERE_WORDS.items() if word in asked}
    exact = asked.get("exact", "false")
    if exact not in ("true", "false"):
        raise Refusal(422, f"got ?exact={short(exact)}, wanted true or false")
    given = asked.get("apart", "1")
    try:
        apart = float(given)
    except ValueError:
        apart = -1.0
    if not (0 <= apart < float("inf")):
        raise Refusal(422, f"got ?apart={short(given)}, wanted window lengths, 0 or more")
    k = number_of(asked, "k", 10)
    return {"k": k, "where": where, "apart": apart, "exact": exact == "true"}


def number_of(asked: Mapping[str, str], name: str, usual: int) -> int:
    """Return a whole number that stands after ``?``, from 1 to 1,000.

    Raises:
        Refusal: it is none.
    """
    given = asked.get(name, str(usual))
    if not (given.isascii() and given.isdigit() and len(given) < 5 and 1 <= int(given) <= 1_000):
        raise Refusal(422, f"got ?{name}={given[:20]}, wanted 1 to 1,000")
    return int(given)
