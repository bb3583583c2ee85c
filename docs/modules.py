"""Writes the list of modules in docs/house.md: one line each, from its docstring."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCE, PAGE = ROOT / "src" / "selftime", ROOT / "docs" / "house.md"
BEGIN, END = "<!-- modules: begin -->", "<!-- modules: end -->"
FLOORS = [
    "cli",
    "serving",
    "studio",
    "web",
    "estimators",
    "report",
    "tasks",
    "engine",
    "objectives",
    "encoders",
    "views",
    "data",
]


def line_of(path: Path) -> str:
    """One line of the list."""
    tree = ast.parse(path.read_text(encoding="utf8"))
    first = (ast.get_docstring(tree) or "").split("\n\n")[0].replace("\n", " ")
    return f"- `{path.relative_to(SOURCE)}`: {first}"


def modules_list() -> str:
    """The whole list, a floor under its heading."""
    parts = []
    for floor in [*FLOORS, ""]:
        files = (SOURCE / floor).rglob("*.py") if floor else SOURCE.glob("*.py")
        lines = [line_of(path) for path in sorted(files) if path.stem != "__init__"]
        parts.append("\n".join([f"### {floor or 'the ground'}", "", *lines]))
    return "\n\n".join(parts)


def page_with_list(page: str) -> str:
    """The page with its list made anew."""
    head, _, rest = page.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return f"{head}{BEGIN}\n\n{modules_list()}\n\n{END}{tail}"


if __name__ == "__main__":
    PAGE.write_text(page_with_list(PAGE.read_text(encoding="utf8")), encoding="utf8")
