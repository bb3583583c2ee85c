"""A comparison as a file and back, so that each of its figures can be worked out again."""

from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np

from selftime.tasks.compare import Comparison
from selftime.tasks.gain import Hits
from selftime.tasks.leaks import Leaks


def comparison_to_dict(comparison: Comparison) -> dict[str, Any]:
    """The figures, and beneath them which test series were right, a bit each."""
    return comparison.to_dict() | {
        "labels_per_class": list(comparison.labels_per_class),
        "hits": {
            name: [
                pack_hits(comparison.hits[name][shots]) for shots in comparison.labels_per_class
            ]
            for name in comparison.names
        },
    }


def comparison_from_dict(content: Mapping[str, Any]) -> Comparison:
    """What :func:`comparison_to_dict` made.

    Raises:
        ValueError: something is missing or does not fit, as in files of older versions.
    """
    try:
        every, M = tuple(content["labels_per_class"]), int(content["test_series"])
        hits = {
            name: {b: hits_in(text, M) for b, text in zip(every, texts, strict=True)}
            for name, texts in content["hits"].items()
        }
        counts = dict(zip(every, content["labels"].values(), strict=True))
        leaks = leaks_in(content.get("leaks"))
    except (LookupError, TypeError, AttributeError) as error:
        raise ValueError(f"the comparison lacks or garbles {error}: compare again") from None
    return Comparison(every, hits, counts, leaks)


def leaks_in(content: Mapping[str, Any] | None) -> Leaks | None:
    """The leaks that a file tells of; None where none were looked for."""
    if not content:
        return None
    known = {field.name: content[field.name] for field in fields(Leaks)}
    return Leaks(**known | {"shared": tuple(known["shared"])})


def pack_hits(hits: Hits) -> list[str]:
    """A text a draw: its hits as bits, eight to a byte, in base64."""
    return [b64encode(np.packbits(row).tobytes()).decode("ascii") for row in hits]


def hits_in(texts: list[str], M: int) -> Hits:
    """The hits of M test series in every draw (R,M).

    Raises:
        ValueError: too few or too many bits.
    """
    rows = [np.frombuffer(b64decode(text, validate=True), np.uint8) for text in texts]
    if not rows or any(len(row) != -(-M // 8) for row in rows):
        raise ValueError(f"the comparison holds hits that are not of {M} series: compare again")
    return np.stack([np.unpackbits(row, count=M).astype(bool) for row in rows])
