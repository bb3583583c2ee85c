"""What people with bad intent, and disks, do to folders and files: for benchmarks/hostile.py."""

import copy
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from numpy.random import Generator

from selftime.data.storage import with_checksum

SECRET = "the content of a file outside"
"""Stands in a file that no folder or file leads to."""
VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2, 3, 7, 10**6, 10**7, 10**9, 2**31, 2**63, 10**30, -(10**12)),
    *(0.5, -0.0, 1e-300, 1e38, 1e308, float("1e999"), float("-1e999"), float("nan")),
    *("", "A" * 10**6, "nan", "1", "os.system", "../../outside/secret.txt", "\x00", "\ud800", "é"),
    *([], {}, [[]], [None], [1e308], [10**9] * 5, {"class": "Quantiles"}, {"kind": "Model"}),
    *({"array": "x"}, {"text": ["a"]}, {"number": "inf"}, json.loads("[" * 200 + "]" * 200)),
)
"""What stands in place of another value."""


PIECES = (b",", b"\n", b"\t", b'"', b";", b":", b"9" * 5000, b"1e999", b"\x00", b"\xff\xfe")
"""What is put into the bytes of a file."""


def places_in(value: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Ways to every value within another."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, part in items if isinstance(value, dict | list) else ():
        yield (*way, key)
        if isinstance(part, dict | list) and len(part) < 100:
            yield from places_in(part, (*way, key))


def changed(values: Any, rng: Generator) -> Any:
    """The same values but for one: replaced, dropped, doubled, renamed or moved."""
    values = copy.deepcopy(values)
    ways = list(places_in(values))
    *path, key = ways[rng.integers(len(ways))]
    inside = values
    for step in path:
        inside = inside[step]
    kind = rng.integers(8)
    new = VALUES[rng.integers(len(VALUES))]
    if kind < 4:
        inside[key] = new
    elif kind == 4:
        del inside[key]
    elif kind == 5 and isinstance(inside, dict):
        inside[str(rng.choice([*map(str, VALUES[:20]), "device", "__class__"]))] = new
    elif kind == 6:  # a value of elsewhere, or a tower of the same
        other = values
        for step in ways[rng.integers(len(ways))]:
            other = other[step]
        inside[key] = copy.deepcopy(other)
    else:
        inside[key] = _scaled(inside[key], rng) if rng.random() < 0.7 else [inside[key]] * 3
    return values


def _scaled(value: Any, rng: Generator) -> Any:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value * int(rng.choice([-1, 2, 3, 10, 1000, 10**6])) + int(rng.integers(-1, 2))
    return [value, value] if not isinstance(value, list) else value * int(rng.choice([0, 2, 1000]))


def damage(data: bytes, rng: Generator) -> bytes:
    """Bytes flipped, overwritten, cut out, doubled, put in, or the end lost."""
    out = bytearray(data or rng.bytes(20))
    for _ in range(int(rng.choice([1, 1, 1, 2, 5, 20]))):
        head = min(len(out), 400) if rng.random() < 0.5 else len(out)
        at, length = int(rng.integers(max(head, 1))), int(rng.choice([1, 1, 2, 4, 8, 100]))
        kind = rng.integers(7)
        if kind == 0:
            out[at : at + 1] = bytes(b ^ (1 << int(rng.integers(8))) for b in out[at : at + 1])
        elif kind == 1:
            out[at : at + length] = rng.bytes(length)
        elif kind == 2:
            out[at : at + length] = rng.choice([b"\xff", b"\x00", b"\x7f", b"9"]) * length
        elif kind == 3:
            del out[at : at + length]
        elif kind == 4:
            out[at:at] = out[at : at + length] * int(rng.choice([1, 2, 50]))
        elif kind == 5:
            out[at:at] = PIECES[rng.integers(len(PIECES))]
        else:
            del out[max(at, 1) :]
    return bytes(out)


def _on_json(change: Callable[[Any, Generator], Any]) -> Callable[[Path, Generator], None]:
    def apply(path: Path, rng: Generator) -> None:
        values = json.loads(path.read_text(encoding="utf8"))
        for _ in range(int(rng.choice([1, 1, 1, 2, 3]))):
            values = change(values, rng)
        path.write_text(json.dumps(values), encoding="utf8")

    return apply


def _damage_bytes(path: Path, rng: Generator) -> None:
    path.write_bytes(damage(path.read_bytes(), rng))


def _change_header(path: Path, rng: Generator) -> None:
    """Change the header of safetensors: types, shapes, places; its length is right again."""
    data = path.read_bytes()
    size = int.from_bytes(data[:8], "little")
    try:
        header = changed(json.loads(data[8 : 8 + size]), rng)
    except (ValueError, IndexError):
        return _damage_bytes(path, rng)
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data[8 + size :])
    return None


def _repeat_key(path: Path, rng: Generator) -> None:
    text = path.read_text(encoding="utf8")
    value = json.dumps(VALUES[rng.integers(len(VALUES))])
    key = str(rng.choice(["encoder", "format", "scaling", "channels", "estimator", "class"]))
    path.write_text(text.replace("{", f'{{"{key}": {value}, ', int(rng.integers(1, 3))))


def _nest(path: Path, rng: Generator) -> None:
    """Encoders within encoders, or side by side: as many as a file can name."""
    values = json.loads(path.read_text(encoding="utf8"))
    inner = values.get("encoder")
    for _ in range(int(rng.choice([3, 12, 60]))):
        if len(json.dumps(inner)) > 10**6:
            break
        if rng.random() < 0.5:
            inner = {"class": "Joined", "encoders": [inner, inner]}
        else:
            inner = {"class": str(rng.choice(["UnitLength", "Standardised"])), "encoder": inner}
    path.write_text(json.dumps(values | {"encoder": inner}))


def sign(folder: Path) -> None:
    """Give config and tensors of a folder a checksum that fits, as whoever mutated them would."""
    for name in ("model.safetensors", "state.safetensors"):
        config, tensors = folder / "config.json", folder / name
        with suppress(ValueError, OSError, RecursionError, UnicodeError):
            if config.is_symlink() or not tensors.is_file() or tensors.is_symlink():
                continue
            values = json.loads(config.read_text(encoding="utf8"))
            config.write_text(json.dumps(with_checksum(values, tensors)), encoding="utf8")


def _change_numbers(path: Path, rng: Generator) -> None:
    """Change numbers of the tensors alone: the header stays."""
    data = bytearray(path.read_bytes())
    at = int.from_bytes(data[:8], "little") + 8
    for _ in range(10 if len(data) > at + 4 else 0):
        spot = int(rng.integers(at, len(data) - 3))
        data[spot : spot + 4] = rng.bytes(4)
    path.write_bytes(data)


def _empty(path: Path, rng: Generator) -> None:  # noqa: ARG001 - as the others
    path.write_bytes(b"")


def _lose(path: Path, rng: Generator) -> None:  # noqa: ARG001
    path.unlink()


def _make_folder(path: Path, rng: Generator) -> None:  # noqa: ARG001
    path.unlink()
    path.mkdir()


FOLDERS: dict[str, tuple[float, str, Callable[[Path, Generator], None]]] = {
    "json": (4, ".json", _on_json(changed)),
    "bytes": (2, "", _damage_bytes),
    "header": (1, ".safetensors", _change_header),
    "numbers": (1, ".safetensors", _change_numbers),
    "nest": (1, ".json", _nest),
    "key": (1, ".json", _repeat_key),
    "empty": (1, "", _empty),
    "lose": (1, "", _lose),
    "folder": (1, "", _make_folder),
}
"""What is done to a file of a folder: how often, to what ending, and how."""


def damage_folder(folder: Path, rng: Generator, others: Sequence[Path], root: Path) -> str:
    """Mutate one file of a saved folder; what was done, in words."""
    kinds = [*FOLDERS, "swap", "link"]
    odds = [FOLDERS[kind][0] if kind in FOLDERS else 1.0 for kind in kinds]
    kind = kinds[rng.choice(len(kinds), p=[odd / sum(odds) for odd in odds])]
    ending = FOLDERS[kind][1] if kind in FOLDERS else ""
    files = [p for p in sorted(folder.rglob("*")) if p.is_file() and p.name != "README.md"]
    files = [path for path in files if path.name.endswith(ending)]
    path = files[rng.integers(len(files))]
    if kind in FOLDERS:
        FOLDERS[kind][2](path, rng)
    elif kind == "swap":
        other = others[rng.integers(len(others))]
        found = sorted(p for p in other.rglob("*") if p.suffix == path.suffix)
        path.write_bytes(found[rng.integers(len(found))].read_bytes())
    else:
        aims = ("/dev/zero", str(root / "outside" / "secret.txt"), str(path), str(root / "outside"))
        path.unlink()
        path.symlink_to(aims[rng.integers(len(aims))])
    if rng.random() < 0.7:
        for place in {path.parent, folder}:
            sign(place)
    return f"{kind} of {path.relative_to(folder)}"


def damage_file(target: Path, data: bytes, rng: Generator) -> str:
    """Write a damaged copy of a data file; what was done, in words."""
    kind = str(rng.choice(["bytes"] * 8 + ["empty", "other ending", "link", "cut", "twice"]))
    if kind == "link":
        os.symlink(target, target)
        return kind
    if kind == "bytes":
        data = damage(data, rng)
    elif kind == "empty":
        data = b""
    elif kind == "cut":
        data = data[: int(rng.integers(len(data)))]
    elif kind == "twice":
        data = data * 2
    elif kind == "other ending":
        data = rng.bytes(int(rng.integers(1, 5000)))
    target.write_bytes(data)
    return kind
