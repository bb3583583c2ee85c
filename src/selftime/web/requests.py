"""Requests: what stands in their heads, and bodies of JSON, judged before they are used."""

import json
from collections.abc import Sequence
from typing import Any

from starlette.requests import Request

from selftime.web.replies import Refusal

SHOWN = 60
"""Letters of what came that a message quotes."""


def media_of(request: Request, wanted: tuple[str, ...]) -> str:
    """Return the type of a body.

    Raises:
        Refusal: it is none of those that are wanted, or packed.
    """
    given = request.headers.get("content-type", "")
    media = given.partition(";")[0].strip().lower()
    if media not in wanted:
        raise Refusal(415, f"got Content-Type {short(given)}, wanted {' or '.join(wanted)}")
    packed = request.headers.get("content-encoding", "identity").strip().lower()
    if packed != "identity":
        raise Refusal(415, f"got Content-Encoding {short(packed)}, wanted the body as it is")
    return media


def query_of(request: Request, names: tuple[str, ...]) -> dict[str, str]:
    """Return what stands after ``?``.

    Raises:
        Refusal: an unknown name, or one that is there twice.
    """
    given = request.query_params.multi_items()
    found = dict(given)
    wanted = ", ".join(f"?{name}=" for name in names) or "nothing after ?"
    for name in found:
        if name not in names:
            raise Refusal(422, f"got ?{short(name)[1:-1]}=, wanted {wanted}")
    if len(found) < len(given):
        raise Refusal(422, f"got {', '.join(name for name, _ in given)}, wanted each name once")
    return found


def parse_json(body: bytes) -> Any:
    """Return what a JSON text holds: numbers that are finite, and each name once.

    Raises:
        Refusal: it is none.
    """
    try:
        return json.loads(
            body.decode("utf8"), parse_constant=_no_number, object_pairs_hook=_names_once
        )
    except RecursionError:
        raise Refusal(400, "got JSON that is nested too deeply, wanted lists of lists") from None
    except ValueError as error:  # also of what is not UTF-8, and of numbers of 5,000 digits
        raise Refusal(400, f"got a body that is not JSON ({error}), wanted an object") from None


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no number: write null where a value is missing")


def _names_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{short(twice)} is there twice")
    return found


def short(value: Any) -> str:
    """Return a value as JSON, cut where it is long."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


def object_of(found: Any, names: Sequence[str], what: str = "the body") -> dict[str, Any]:
    """Return an object of JSON that has no other names than these.

    Raises:
        Refusal: it is none, or has others.
    """
    wanted = ", ".join(f'"{name}"' for name in names)
    if not isinstance(found, dict):
        raise Refusal(422, f"{what} is {short(found)}, wanted an object with {wanted}")
    others = [short(name) for name in found if name not in names]
    if others:
        raise Refusal(422, f"{what} has {', '.join(others[:5])}, wanted {wanted} alone")
    return dict(found)
