"""Texts from strangers, such as names in data, as they are safely shown and written."""

import re

_UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)
"""Control characters, those that turn the direction of writing, ends of lines, half characters."""
_MARKED = re.compile(
    r"[\\`*~$\[]|(?<![^\W_])_|_(?![^\W_])|[&<>|@]|:(?=//)|(?<=www)\."
    r"|^(?:[#+=-](?=[\s#+=-]|$)|\d+(?=[.)](?:\s|$)))",
    re.IGNORECASE,
)
"""What Markdown and its dialects take for more than itself."""
_ENTITIES = frozenset("&<>|@:.")
"""Characters that not every dialect lets a backslash precede."""


def visible(text: str, *, lines: bool = False) -> str:
    r"""Return a text in which everything is seen: what commands a terminal is spelled out.

    With ``lines`` it may have several. Inside texts of JSON the spelling means the same characters.

    Example:
        >>> print(visible("a\x1b[31mb"))
        a\u001b[31mb
    """
    return _UNSEEN.sub(
        lambda found: "\n" if lines and found[0] == "\n" else f"\\u{ord(found[0]):04x}", text
    )


def markdown_text(value: object) -> str:
    r"""Return a value as Markdown that shows its text as it is, within a line or a cell of a table.

    Example:
        >>> markdown_text("a|b <img> [c](d) e_f")
        'a&#124;b &lt;img&gt; \\[c](d) e_f'
    """
    return _MARKED.sub(_escape, visible(str(value)).strip())


def _escape(found: re.Match[str]) -> str:
    names = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
    one = found[0]
    if one.isdecimal():
        return f"{one}\\"  # the dot after it makes a list
    return names.get(one, f"&#{ord(one)};") if one in _ENTITIES else f"\\{one}"


FORMULA = "^[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]"
"""Begins cells that spreadsheets compute; the last four are the first four in full width."""
NUMBER = r"^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$"
"""A text that is a number, which may begin with a sign."""


def safe_cell(text: str) -> str:
    """Return a text as a cell of csv that no spreadsheet computes: ``'`` before a formula.

    Example:
        >>> safe_cell("=1+1"), safe_cell("-1.5"), safe_cell("pump")
        ("'=1+1", '-1.5', 'pump')
    """
    is_formula = re.search(FORMULA, text) and not re.search(NUMBER, text)
    return f"'{text}" if is_formula else text
