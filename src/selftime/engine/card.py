"""The model card: what a model is, what it was learned from, and what is known of its use."""

from typing import Any


def card_text(card: dict[str, Any], config: dict[str, Any]) -> str:
    """The card as Markdown, from the same figures that ``config.json`` holds."""
    sections = [
        "# A selftime model",
        "Made by self-supervised learning from unlabelled time series. "
        'Use it with `selftime.load("this-folder")`.',
        _table("Data", card.get("data", {})),
        _table("Settings", {k: f"{v['value']} — {v['reason']}" for k, v in _reasons(card)}),
        _table("Figures", card.get("figures", {})),
        _table("Input", {"channels": ", ".join(config["channels"]), "scaling": config["scaling"]}),
        _table("Made with", card.get("versions", {})),
    ]
    return "\n\n".join(part for part in sections if part) + "\n"


def _reasons(card: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return list(card.get("settings", {}).items())


def _table(title: str, rows: dict[str, Any]) -> str:
    if not rows:
        return ""
    lines = [f"| {name} | {value} |" for name, value in rows.items()]
    return "\n".join([f"## {title}", "", "| | |", "|---|---|", *lines])
