"""What can be chosen by name: objectives and encoders, each with its line and its papers."""

import inspect
import re
from typing import NamedTuple

from selftime.encoders.builders import BUILDERS
from selftime.objectives import OBJECTIVES


class Method(NamedTuple):
    """An objective or an encoder that can be chosen by name.

    Attributes:
        kind: "objective" or "encoder".
        name: what people type.
        about: what it is, in one line.
        papers: authors and years of the papers it is made from.
    """

    kind: str
    name: str
    about: str
    papers: tuple[str, ...]


def methods() -> list[Method]:
    """Every objective and every encoder that :func:`selftime.pretrain` knows by name."""
    objectives = [_method("objective", name, part) for name, part in OBJECTIVES.items()]
    encoders = [_method("encoder", name, part) for name, part in BUILDERS.items()]
    return objectives + encoders


def papers_in(text: str) -> tuple[str, ...]:
    """``Authors year`` of every paper cited as (Authors year, section …), in order."""
    cited = re.findall(
        r"[(;]\s*([A-Z][^();,]*?(?:,? et al\.?)? \d{4})(?=[,;)])", " ".join(text.split())
    )
    return tuple(dict.fromkeys(cited))


def _method(kind: str, name: str, part: object) -> Method:
    text = inspect.getdoc(part) or ""
    about = re.sub(r"\s*\([^()]*\d{4}[^()]*\)", "", text.split("\n\n")[0].replace("\n", " "))
    return Method(kind, name, about, papers_in(text))
