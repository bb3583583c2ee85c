"""The card of a model: its facts by section, as tables and as Markdown for people."""

from collections.abc import Mapping, Sequence
from typing import Any

from selftime.data.records import unpack
from selftime.texts import markdown_text


def card_tables(card: dict[str, Any], config: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the facts of a card by section and name, from what ``config.json`` holds."""
    settings = card.get("settings", {})
    tables = {
        "Data": card.get("data", {}),
        "Settings": {name: f"{v['value']} — {v['reason']}" for name, v in settings.items()},
        "Figures": card.get("figures", {}),
        "Input": {"channels": ", ".join(config["channels"]), "scaling": config["scaling"]},
        "Made with": card.get("versions", {}),
        "Fetched from": card.get("source", {}),
    }
    if config.get("precision") == "half":
        tables["Input"]["numbers"] = "16-bit floats on disk, where these hold them; 32-bit in use"
    return {title: facts for title, facts in tables.items() if facts}


def card_text(card: dict[str, Any], config: dict[str, Any]) -> str:
    """Return the card as Markdown, from the same figures that ``config.json`` holds."""
    opening = (
        "# A selftime model",
        "Made by self-supervised learning from unlabelled time series. "
        'Use it with `selftime.load("this-folder")`.',
    )
    return markdown_tables(opening, card_tables(card, config))


def markdown_tables(opening: Sequence[str], tables: Mapping[str, Mapping[str, Any]]) -> str:
    """Return paragraphs, then a table of names and values under each title."""
    sections = list(opening)
    for title, rows in tables.items():
        if rows:
            lines = [f"| {markdown_text(k)} | {markdown_text(v)} |" for k, v in rows.items()]
            sections.append("\n".join([f"## {title}", "", "| | |", "|---|---|", *lines]))
    return "\n\n".join(sections) + "\n"


def check_card(card: Any) -> dict[str, Any]:
    """Return a card; raise a ValueError for one whose sections are no names and values."""
    sections = dict(unpack(card, Mapping[str, Any], {}, {}))
    for title in ("data", "settings", "figures", "versions", "source"):
        facts = unpack(sections.get(title, {}), Mapping[str, Any], {}, {})
        for name, fact in facts.items() if title == "settings" else ():
            if not isinstance(fact, dict) or not {"value", "reason"} <= set(fact):
                raise ValueError(f"the card says {name} without a value and its reason")
    return sections
