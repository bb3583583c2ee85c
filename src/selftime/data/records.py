"""Records: fitted things as plain values and arrays by a table of known kinds, and back again.

What comes from a file may be anything. No class is found by a name in it but those of the table,
fields are those of the kind and no others, and every value is of the type that its field has.
"""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from inspect import signature
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

import numpy as np
from jaxtyping import jaxtyped

Arrays = dict[str, np.ndarray]
"""Arrays by the place at which they stand, such as ``solution_.head.coef_``."""
LARGEST = 10_000_000
"""No whole number but a seed is larger: sizes, steps, numbers of things."""
_SEEDS = ("seed", "random_state")
_NOTHING: Mapping[str, Any] = {}
_INFINITE = {"inf": math.inf, "-inf": -math.inf}


class Kind(NamedTuple):
    """One kind of record.

    Attributes:
        type: its class.
        fields: the type of each of its values.
        make: makes it of them.
        values: reads them off it; attributes of the same names when None.
        optional: fields that may be left out.
        unbounded: fields whose arrays may hold NaN or infinity.
    """

    type: type
    fields: Mapping[str, Any]
    make: Callable[[dict[str, Any]], Any]
    values: Callable[[Any], Mapping[str, Any]] | None = None
    optional: tuple[str, ...] = ()
    unbounded: tuple[str, ...] = ()


Kinds = dict[str, Kind]
"""The kinds that a file may name."""


def plain_kind(
    type: type, *, unbounded: tuple[str, ...] = (), other: Mapping[str, Any] = _NOTHING
) -> Kind:
    """Return the kind of a dataclass or named tuple; ``other`` replaces types of its fields."""
    hints = get_type_hints(type) | dict(other)
    fields = {name: hints[name] for name in signature(type).parameters}
    return Kind(type, fields, lambda values: type(**values), unbounded=unbounded)


def fitted_kind(
    type: type,
    *,
    without: tuple[str, ...] = (),
    optional: tuple[str, ...] = (),
    other: Mapping[str, Any] = _NOTHING,
) -> Kind:
    """Return the kind of an estimator: arguments of its constructor, then its annotated attributes.

    Attributes are those that are learned, whose names end with an underscore.

    Args:
        type: the class.
        without: arguments that are left at their defaults.
        optional: attributes that it need not have.
        other: types of further attributes, or other ones of those.
    """
    settings = get_type_hints(type.__init__)  # type: ignore[misc] # of the class itself
    learned = {name: hint for name, hint in get_type_hints(type).items() if name.endswith("_")}
    hints = settings | learned | dict(other)
    fields = {name: h for name, h in hints.items() if name not in (*without, "return")}

    def make(values: dict[str, Any]) -> Any:
        made = type(**{name: values[name] for name in settings if name in values})
        vars(made).update({k: value for k, value in values.items() if k not in settings})
        return made

    return Kind(type, fields, make, optional=optional)


def pack_record(value: Any, kinds: Kinds, arrays: Arrays, place: str = "") -> Any:
    """Return a value as JSON holds it; its arrays are added to ``arrays``, each once.

    Raises:
        ValueError: something of no known kind.
    """
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int | np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else {"number": str(float(value))}
    if isinstance(value, np.ndarray):
        return _pack_array(value, arrays, place)
    name = next((name for name, kind in kinds.items() if type(value) is kind.type), None)
    if name is not None:
        return {"kind": name} | _pack_fields(value, kinds, arrays, (name, place))
    if isinstance(value, Mapping):
        return {
            k: pack_record(v, kinds, arrays, f"{place}.{k}".strip(".")) for k, v in value.items()
        }
    if isinstance(value, list | tuple):
        return [pack_record(part, kinds, arrays, f"{place}.{i}") for i, part in enumerate(value)]
    raise ValueError(
        f"{place} is a {type(value).__name__}, which cannot be written to a folder, wanted plain "
        f"values, arrays, or one of {', '.join(kinds)}"
    )


def _pack_fields(
    value: Any, kinds: Kinds, arrays: Arrays, where: tuple[str, str]
) -> dict[str, Any]:
    kind, place = kinds[where[0]], where[1]
    if kind.values is not None:
        values = kind.values(value)
    else:
        there = [n for n in kind.fields if n not in kind.optional or hasattr(value, n)]
        values = {name: getattr(value, name) for name in there}
    return {k: pack_record(v, kinds, arrays, f"{place}.{k}".strip(".")) for k, v in values.items()}


def _pack_array(value: np.ndarray, arrays: Arrays, place: str) -> dict[str, Any]:
    if value.dtype.kind == "U":
        return {"text": value.tolist()}
    if value.dtype.kind == "O" and all(isinstance(item, str) for item in value.tolist()):
        return {"text": value.tolist(), "type": "object"}
    for name, other in arrays.items():
        if other is value:
            return {"array": name}
    if value.dtype.kind in "mM":
        arrays[place] = value.astype(np.int64)
        return {"array": place, "type": str(value.dtype)}
    if value.dtype.kind not in "biuf":
        raise ValueError(f"got {place} of {value.dtype}, wanted numbers, text or times")
    is_turned = value.flags.f_contiguous and not value.flags.c_contiguous
    arrays[place] = value.T if is_turned else value  # products of its rows keep their bits
    return {"array": place, "turned": True} if is_turned else {"array": place}


def unpack(stored: Any, hint: Any, kinds: Kinds, arrays: Arrays) -> Any:
    """Return the value of a type that JSON and arrays hold.

    Raises:
        ValueError: another type, an unknown kind or field, or one that is missing.
    """
    origin, parts = get_origin(hint), get_args(hint)
    if hint is Any:
        return stored
    if origin in (Union, UnionType):
        return _unpack_either(stored, parts, kinds, arrays)
    if origin is Literal:
        return _checked(stored, isinstance(stored, str) and stored in parts, hint)
    if hint in _SCALARS:
        return _SCALARS[hint](stored)
    if origin in (tuple, list, Sequence):
        return _unpack_list(stored, hint, kinds, arrays)
    if origin is Mapping:
        _checked(stored, isinstance(stored, dict), hint)
        return {name: unpack(part, parts[1], kinds, arrays) for name, part in stored.items()}
    if hint is np.ndarray or hasattr(hint, "array_type"):
        return _unpack_array(stored, hint, arrays)
    return _unpack_record(stored, hint, kinds, arrays)


def _checked(stored: Any, is_right: bool, hint: Any) -> Any:
    if not is_right:
        text = repr(stored)
        name = getattr(hint, "__name__", hint)
        raise ValueError(f"got {text if len(text) < 80 else text[:77] + '…'}, wanted {name}")
    return stored


def _number(stored: Any) -> float:
    if isinstance(stored, dict) and stored.get("number") in ("inf", "-inf"):
        return _INFINITE[stored["number"]]
    right = isinstance(stored, int | float) and not isinstance(stored, bool)
    return float(_checked(stored, right and math.isfinite(stored), float))


_SCALARS: dict[Any, Callable[[Any], Any]] = {
    bool: lambda stored: _checked(stored, isinstance(stored, bool), bool),
    int: lambda stored: _checked(stored, type(stored) is int, int),
    str: lambda stored: _checked(stored, isinstance(stored, str), str),
    float: _number,
    None: lambda stored: _checked(stored, stored is None, None),
    NoneType: lambda stored: _checked(stored, stored is None, None),
}


def _unpack_either(stored: Any, hints: Sequence[Any], kinds: Kinds, arrays: Arrays) -> Any:
    """Return the value of the first type that fits; whole numbers stay whole where they may."""
    said = []
    for hint in hints:
        try:
            return unpack(stored, hint, kinds, arrays)
        except ValueError as error:
            said.append(str(error))
    raise ValueError(said[0] if isinstance(stored, dict) else f"{said[0]} or another type")


def _unpack_list(stored: Any, hint: Any, kinds: Kinds, arrays: Arrays) -> Any:
    _checked(stored, isinstance(stored, list), hint)
    parts = get_args(hint)
    if len(parts) == 2 and parts[1] is Ellipsis or len(parts) == 1:
        parts = parts[:1] * len(stored)
    _checked(stored, len(parts) == len(stored), hint)
    return tuple(unpack(s, part, kinds, arrays) for s, part in zip(stored, parts, strict=True))


def _unpack_array(stored: Any, hint: Any, arrays: Arrays) -> np.ndarray:
    _checked(stored, isinstance(stored, dict) and len({"text", "array"} & set(stored)) == 1, hint)
    kind = stored.get("type")
    if "text" in stored:
        cells = unpack(stored["text"], tuple[str, ...], {}, arrays)
        found = np.array(cells, object if kind == "object" else np.str_)
        return np.asarray(_checked(found, isinstance(found, hint), hint))
    name = stored["array"]
    if not isinstance(name, str) or name not in arrays:
        raise ValueError(f"the tensor {name!r} is missing")
    found = arrays[name].T if stored.get("turned") is True else arrays[name]
    if kind is not None:
        _checked(kind, isinstance(kind, str) and kind[:10] in ("datetime64", "timedelta6"), hint)
        found = _checked(found, found.dtype == np.int64, hint).view(np.dtype(kind))
    return np.asarray(_checked(found, isinstance(found, hint), hint))


def _unpack_record(stored: Any, hint: Any, kinds: Kinds, arrays: Arrays) -> Any:
    known = isinstance(stored, dict) and isinstance(stored.get("kind"), str)
    if not known or stored["kind"] not in kinds:
        raise ValueError(
            f"got the kind {stored.get('kind') if isinstance(stored, dict) else stored!r}, wanted "
            f"one of {', '.join(kinds)}"
        )
    kind = kinds[stored["kind"]]
    _checked(stored["kind"], isinstance(hint, type), hint)
    given = set(stored) - {"kind"}
    if unknown := given - set(kind.fields):
        raise ValueError(f"{stored['kind']} has no {', '.join(sorted(unknown))}")
    if missing := set(kind.fields) - given - set(kind.optional):
        raise ValueError(f"{stored['kind']} lacks {', '.join(sorted(missing))}")
    with jaxtyped("context"):  # letters of shapes mean the same in all arrays of a record
        values = {
            name: unpack(stored[name], field, kinds, arrays)
            for name, field in kind.fields.items()
            if name in given
        }
    for name, value in values.items():
        _check_bounds(value, f"{stored['kind']}.{name}", name in kind.unbounded)
    made = kind.make(values)
    return _checked(stored["kind"], isinstance(made, hint), hint) and made


def _check_bounds(value: Any, place: str, unbounded: bool) -> None:
    if type(value) is int and abs(value) > LARGEST and place.split(".")[-1] not in _SEEDS:
        raise ValueError(f"got {place} {value}, wanted at most {LARGEST}")
    numbers = isinstance(value, np.ndarray) and value.dtype.kind == "f" and not unbounded
    if numbers and not np.isfinite(value).all():
        raise ValueError(f"{place} holds NaN or infinity")


_LARGEST_JSON = 64 << 20
"""Bytes of plain values in one file: those of a model have a few thousand."""


def read_values(path: Path) -> Any:
    """Read plain values from JSON; NaN, infinity and files beyond 64 MB are errors.

    Raises:
        ValueError: what is in the file is no such JSON.
    """
    if not path.is_file():  # a link may lead to a pipe or device, which never ends
        raise ValueError(f"{path.name} is missing or no file")
    with path.open("rb") as file:
        data = file.read(_LARGEST_JSON + 1)
    if len(data) > _LARGEST_JSON:
        raise ValueError(f"{path.name} has more than {_LARGEST_JSON:,} bytes")
    return json.loads(data.decode("utf8"), parse_constant=_refuse_constant)


def _refuse_constant(constant: str) -> float:
    raise ValueError(f"{constant} is not JSON")
