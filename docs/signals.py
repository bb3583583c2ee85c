"""Draws docs/pictures/signals.svg, and writes the tables of docs/signals.md from the code."""

import json
import math
from pathlib import Path
from typing import Any

from selftime.data.signals import SIGNALS, Film, Images, Measurements, Sound, Text, Wave
from selftime.engine.defaults import USUAL
from selftime.objectives.registry import OBJECTIVES
from selftime.views.registry import views_for

FOLDER = Path(__file__).parent
PAGE, PICTURE = FOLDER / "signals.md", FOLDER / "pictures" / "signals.svg"
INK, SOFT, BLUE, WASH, EDGE = "#2b2f36", "#5b626d", "#0b6fb8", "#eef1f5", "#d5dae1"
WIDTH, ROW, TOP = 900, 104, 64
TITLE = "How each signal becomes tokens"
WORDS = (
    "Measurements, a picture, a text, a sound and a film, each cut into the steps of a series: "
    "stretches of time, patches in raster order, symbols, frames of bands, and frames. An embedder "
    "makes a token of each, and the same network reads them all."
)
ZERO = """
0 0 5 13 9 1 0 0
0 0 13 15 10 15 5 0
0 3 15 2 0 11 8 0
0 4 12 0 0 8 8 0
0 5 8 0 0 9 8 0
0 4 11 0 1 12 7 0
0 2 14 5 10 12 0 0
0 0 6 13 10 0 0 0
"""
"""The first of the bundled digits, 0 to 16."""
LETTERS = "to be or not"


def text(x: float, y: float, words: str, *, size: float = 13, fill: str = INK, **more: str) -> str:
    """A line of text."""
    given = "".join(f' {name.replace("_", "-")}="{value}"' for name, value in more.items())
    return f'<text x="{x:g}" y="{y:g}" font-size="{size:g}" fill="{fill}"{given}>{words}</text>'


def box(x: float, y: float, width: float, height: float, fill: str, stroke: str = "none") -> str:
    """A rectangle."""
    place = f'x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"'
    return f'<rect {place} fill="{fill}" stroke="{stroke}"/>'


def arrow(x: float, y: float, length: float = 34) -> str:
    """An arrow to the right."""
    line = f'd="M{x:g},{y:g} L{x + length:g},{y:g}"'
    return f'<path {line} fill="none" stroke="{INK}" stroke-width="1.5" marker-end="url(#tip)"/>'


def curve(x: float, y: float, width: float, height: float, values: list[float]) -> str:
    """A line through values of −1 to 1."""
    step = width / (len(values) - 1)
    points = " ".join(
        f"{x + i * step:.1f},{y + height * (1 - v) / 2:.1f}" for i, v in enumerate(values)
    )
    return f'<polyline points="{points}" fill="none" stroke="{INK}" stroke-width="1.6"/>'


def shade(share: float) -> str:
    """From white to dark blue."""
    low, high = (255, 255, 255), (8, 48, 107)
    mixed = (round(a + (b - a) * min(max(share, 0), 1)) for a, b in zip(low, high, strict=True))
    return "#" + "".join(f"{part:02x}" for part in mixed)


def series(y: float) -> list[str]:
    """Measurements, cut into stretches."""
    values = [0.55 * math.sin(i / 4) + 0.35 * math.sin(i / 1.7 + 1) for i in range(64)]
    out = [curve(176, y, 140, 64, values)]
    for k in range(8):
        out.append(box(388 + 33 * k, y, 29, 64, WASH, EDGE))
        out.append(curve(390 + 33 * k, y, 25, 64, values[8 * k : 8 * k + 8]))
    return out


def images(y: float) -> list[str]:
    """A digit, its patches one after another."""
    grid = [[int(v) / 16 for v in line.split()] for line in ZERO.strip().splitlines()]
    out = [box(214, y, 64, 64, "#fff", EDGE)]
    out += [
        box(214 + 8 * j, y + 8 * i, 8, 8, shade(v))
        for i, line in enumerate(grid)
        for j, v in enumerate(line)
    ]
    for k in range(1, 4):
        out.append(f'<path d="M{214 + 16 * k},{y} v64 M214,{y + 16 * k} h64" stroke="{BLUE}"/>')
    for k in range(16):
        row, column = divmod(k, 4)
        x, top = 388 + 16.5 * k, y + 25
        for i, j in ((0, 0), (0, 1), (1, 0), (1, 1)):
            out.append(box(x + 7 * j, top + 7 * i, 7, 7, shade(grid[2 * row + i][2 * column + j])))
        out.append(box(x, top, 14, 14, "none", BLUE))
    return out


def symbols(y: float) -> list[str]:
    """Letters and their places in the vocabulary."""
    known = sorted(set(LETTERS))
    out = [text(246, y + 38, LETTERS, size=20, text_anchor="middle", font_family="monospace")]
    for k, letter in enumerate(LETTERS):
        x = 388 + 22 * k
        out.append(box(x, y + 10, 19, 22, WASH, EDGE))
        shown = "␣" if letter == " " else letter
        style = {"text_anchor": "middle", "font_family": "monospace"}
        out.append(text(x + 9.5, y + 26, shown, size=14, **style))
        out.append(text(x + 9.5, y + 52, str(known.index(letter)), fill=BLUE, **style))
    return out


def loudness(band: int, frame: int) -> float:
    """Of a made-up word: two tones that move."""
    envelope = math.exp(-(((frame - 8) / 6) ** 2))
    tones = (2 + 0.15 * frame, 6 - 0.12 * frame)
    return envelope * sum(math.exp(-(((band - tone) / 1.1) ** 2)) for tone in tones)


def sound(y: float) -> list[str]:
    """A waveform, and its frames of eight bands."""
    swell = [
        math.exp(-(((i - 100) / 70) ** 2)) * (0.6 + 0.4 * math.sin(i / 11)) for i in range(240)
    ]
    values = [0.95 * size * math.sin(i / 2.1) for i, size in enumerate(swell)]
    out = [curve(176, y, 140, 64, values)]
    for frame in range(16):
        x = 388 + 16.5 * frame
        out += [box(x, y + 56 - 8 * b, 14, 8, shade(loudness(b, frame))) for b in range(8)]
        out.append(box(x, y, 14, 64, "none", EDGE))
    return out


def film(y: float) -> list[str]:
    """Frames in which a ball flies."""
    out = []
    for k, (x, high, wide) in enumerate([*((186 + 20 * k, 40, 62) for k in range(4)),
                                         *((388 + 67 * k, 48, 62) for k in range(4))]):  # fmt: skip
        t = (k % 4) / 3
        top = y + (64 - high) / 2 + (4 * (k % 4) - 6 if k < 4 else 0)
        out.append(box(x, top, wide, high, "#fff" if k < 4 else WASH, SOFT if k < 4 else EDGE))
        cx, cy = x + wide * (0.2 + 0.6 * t), top + high * (0.75 - 2 * t * (1 - t))
        out.append(f'<circle cx="{cx:.1f}" cy="{cy:.1f}" r="5" fill="{BLUE}"/>')
    return out


ROWS = {
    "series": (series, "measurements", "C channels", "PatchEmbedder: stretches",
               "a linear map of each"),
    "images": (images, "picture", "C = pixels of a patch", "GridEmbedder: patches",
               "a linear map; rows, columns"),
    "text": (symbols, "text", "C = 1, values are places", "SymbolEmbedder: symbols",
             "a row of a table for each"),
    "sound": (sound, "sound", "C = mel bands", "PatchEmbedder: frames",
              "wave: strided convolutions"),
    "film": (film, "film", "C = pixels of a frame", "FrameEmbedder: frames",
             "a small convolution of each"),
}  # fmt: skip
"""For each signal how it is drawn, its name, its channels, and its embedder in two lines."""


def drawing() -> str:
    """The whole picture."""
    height = TOP + ROW * len(ROWS) + 12
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" '
        f'height="{height}" role="img" aria-labelledby="title desc" font-family="sans-serif">'
    )
    tip = (
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerUnits="userSpaceOnUse" '
        'markerWidth="10" markerHeight="10" orient="auto"><path d="M0,0 L8,4 L0,8 z" '
        f'fill="{INK}"/></marker></defs>'
    )
    frame = f'x="1" y="1" width="{WIDTH - 2}" height="{height - 2}" rx="14"'
    parts = [
        *(head, f'<title id="title">{TITLE}</title>', f'<desc id="desc">{WORDS}</desc>', tip),
        f'<rect {frame} fill="#ffffff" stroke="{EDGE}"/>',
        text(246, 36, "what comes in", text_anchor="middle", font_weight="bold"),
        text(520, 36, "steps of a series", text_anchor="middle", font_weight="bold"),
        text(700, 36, "tokens, made by", font_weight="bold"),
    ]
    for k, (draw, name, channels, embedder, how) in enumerate(ROWS.values()):
        y = TOP + ROW * k
        parts += [
            f'<path d="M24,{y - 12} H{WIDTH - 24}" stroke="{EDGE}"/>',
            text(24, y + 32, name, size=15, font_weight="bold"),
            text(24, y + 50, channels, size=11, fill=SOFT),
            *draw(y),
            arrow(334, y + 32, 42),
            arrow(658, y + 32, 32),
            text(700, y + 28, embedder),
            text(700, y + 46, how, size=12, fill=SOFT),
        ]
    return "\n".join([*parts, "</svg>"]) + "\n"


def objectives_table() -> str:
    """Which objective learns from which signal."""
    head = ["objective", "family", *SIGNALS]
    rows = [
        [f"`{name}`", made.family, *("✓" if kind in made.signals else "–" for kind in SIGNALS)]
        for name, made in OBJECTIVES.items()
    ]
    lines = [head, ["---", "---", *[":---:"] * len(SIGNALS)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def usual_table() -> str:
    """What "auto" stands for on each signal."""
    head = ["signal", "objective", "because", "with a budget of steps", "encoder", "because"]
    rows = []
    for name, usual in USUAL.items():
        first, steps, network = usual.objective, usual.gradient, usual.encoder
        cells = (f"`{first.value}`", first.reason, f"`{steps.value}`")
        rows.append([name, *cells, f"`{network.value}`", network.reason])
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def views_table() -> str:
    """Which view which signal has."""
    kinds = (
        Measurements(),
        Images(height=8, width=8, colours=3),
        Text(vocabulary=("a",)),
        Sound(rate=8000),
        Wave(rate=8000),
        Film(height=8, width=8, colours=3),
    )
    views = {kind.name: views_for(kind) for kind in kinds}
    names = list(dict.fromkeys(name for own in views.values() for name in own if name != "mild"))
    rows = [
        [f"`{name}`", *("✓" if name in views[kind] else "–" for kind in SIGNALS)] for name in names
    ]
    lines = [["view", *SIGNALS], ["---", *[":---:"] * len(SIGNALS)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


RESULTS = Path(__file__).parents[1] / "benchmarks" / "results" / "signals.json"


def table_of(head: list[str], rows: list[list[str]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def in_points(cell: list[float]) -> str:
    """A share and its standard error, in per cent."""
    return f"{100 * cell[0]:.1f} ± {100 * cell[1]:.1f}"


def accuracy_table(head: str, found: dict[str, dict[str, list[float]]]) -> str:
    """Accuracy of each row by the number of labels."""
    shots = list(next(iter(found.values())))
    rows = [[name, *map(in_points, cells.values())] for name, cells in found.items()]
    return table_of([head, *shots], rows)


def figures() -> str:
    """What `python -m benchmarks.signals` measured."""
    found = json.loads(RESULTS.read_text(encoding="utf8"))
    parts = []
    for name, own in found["images"].items():
        if not isinstance(own, dict):
            continue
        parts.append(accuracy_table(f"{name}, % right", own["accuracy"]))
        tuned = own["fine-tuned"]
        full = ", ".join(
            f"{row} {in_points(next(iter(tuned[row].values())))} %"
            for row in ("selftime, full", "supervised from scratch")
        )
        parts.append(f"All weights fine-tuned with 20 labels per class: {full}.")
        errors = own["squared error"]
        parts.append(
            "Squared error at hidden pixels: "
            + ", ".join(f"{row} {value:.4f}" for row, value in errors.items())
            + "."
        )
    text = found["text"]
    rows = [[row, in_points(cell)] for row, cell in text["hidden symbols"].items()]
    rows.append(["whether the second half follows (chance 50)", in_points(text["next segment"])])
    parts.append(table_of(["tiny Shakespeare, its last tenth, % right", ""], rows))
    parts.append(accuracy_table("who of ten speaks, % right", text["who speaks"]))
    for network, own in found["sound"].items():
        if isinstance(own, dict):
            for split, cells in own.items():
                if split == "takes held out" or split.endswith("mean"):
                    parts.append(
                        accuracy_table(f"spoken digits, {network}: {split}", cells["accuracy"])
                    )
    parts.append(film_table(found["film"]))
    return "\n\n".join(parts)


def film_table(found: dict[str, Any]) -> str:
    """What networks of films tell of clips that they did not see."""
    order, segments, arrow, ahead = (
        found[name] for name in ("right_order", "segment_order", "arrow_of_time", "next_step")
    )
    sources = [name for name in order if name != "seconds"]
    rows = [
        [
            "right of two orders, % (chance 50)",
            *(in_points(order[s]["of two orders"]) for s in sources),
        ],
        ["an order told alone, % (chance 50)", *(in_points(order[s]["alone"]) for s in sources)],
        [
            "order of three segments, frames of 18 × 32, % (chance 17)",
            *(in_points(segments[s]) for s in sources),
        ],
        ["forwards or backwards, % (chance 50)", *(in_points(arrow[s]) for s in sources)],
        [
            "error of the last frame repeated / of the next predicted, frames of 18 × 32",
            *(f"{ahead[s]['ratio']:.2f}" for s in sources),
        ],
    ]
    return table_of(["clips of the part held out", *sources], rows)


TABLES = {
    "objectives": objectives_table,
    "usual": usual_table,
    "views": views_table,
    "figures": figures,
}


def page_with_tables(page: str) -> str:
    """The page with its tables made anew."""
    for name, table in TABLES.items():
        begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
        head, found, rest = page.partition(begin)
        assert found, f"docs/signals.md has no place for the table of {name}"
        page = f"{head}{begin}\n\n{table()}\n\n{end}{rest.partition(end)[2]}"
    return page


if __name__ == "__main__":
    PICTURE.write_text(drawing(), encoding="utf8")
    PAGE.write_text(page_with_tables(PAGE.read_text(encoding="utf8")), encoding="utf8")
