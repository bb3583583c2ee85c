"""Fitted estimators as plain folders: what they learned, as JSON and tensors, and their model."""

import json
import os
from abc import abstractmethod
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from safetensors.numpy import save_file
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from selftime.data.files import place_of, restore, whole_folder
from selftime.data.records import Kind, fitted_kind, pack_record, unpack
from selftime.data.storage import with_checksum
from selftime.engine import hub
from selftime.engine.card import markdown_tables
from selftime.engine.model import (
    OWN,
    UNFIT,
    Model,
    ModelError,
    StoredPrecision,
    check_precision,
    check_replaced,
    current_versions,
    read_folder,
    read_model,
)
from selftime.estimators.kinds import kinds_with

_FORMAT = 1
"""Version of the folder; raised whenever an older reader would misread a newer folder."""
STATE = "state.safetensors"
_BANK = "model/reference_bank"
"""The one array that a head shares with its model, and which is stored with that."""


class Kept:
    """Base of estimators that are saved to plain folders and loaded by :func:`selftime.load`."""

    model: Any
    _keeps: ClassVar[str] = ""
    """What of the series that it was fitted on is in the folder, for the card."""

    save_pretrained = hub.save_pretrained
    push_to_hub = hub.push_to_hub

    @property
    @abstractmethod
    def _used(self) -> Model | None:
        """The model in use."""

    @abstractmethod
    def _complete(self, model: Model | None) -> None:
        """Set what follows from what was loaded, and from the model in use."""

    def save(
        self,
        path: str | os.PathLike[str],
        *,
        overwrite: bool = False,
        precision: StoredPrecision = "full",
    ) -> Path:
        """Write what was fitted as a folder that :func:`selftime.load` opens, to the same bits.

        It holds ``config.json``, ``state.safetensors``, ``README.md`` and, where a model is used,
        the folder ``model/``; no code and no pickle. It appears whole or not at all.

        Args:
            path: the folder.
            overwrite: replace a folder of a saved estimator that stands there; files of yours stay.
            precision: of the model, as in :meth:`selftime.Model.save`.

        Raises:
            FileExistsError: the folder exists and ``overwrite`` is False, or is no such folder.
            OSError: the folder cannot be written, has too long a name, or the disk has no room.
            ValueError: something in it that cannot be written plainly, named.
        """
        check_is_fitted(self)
        check_precision(precision)
        target, model = place_of(path), self._used
        check_replaced(target, overwrite=overwrite, kind="saved")
        bank = None if model is None else model.reference_bank
        arrays = {} if bank is None else {_BANK: bank}
        name, kinds = type(self).__name__, kinds_with(model)
        record = pack_record(self, kinds | {name: kind_of(type(self))}, arrays)
        arrays.pop(_BANK, None)
        config = {
            "format": _FORMAT,
            "estimator": record,
            "model": "none" if model is None else "own" if self.model is None else "given",
            "versions": current_versions(),
        }
        with whole_folder(target, overwrite=overwrite, own=OWN) as draft:
            save_file({k: np.ascontiguousarray(v) for k, v in arrays.items()}, draft / STATE)
            stored = with_checksum(config, draft / STATE)
            text = json.dumps(stored, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
            (draft / "config.json").write_text(text, encoding="utf8")
            (draft / "README.md").write_text(
                card_of_estimator(config, self._keeps), encoding="utf8"
            )
            if model is not None:
                model.save(draft / "model", precision=precision)
        return target


def kind_of(estimator: type[BaseEstimator]) -> Kind:
    """Return the kind of an estimator: its parameters and what it learned, but for the model."""
    optional = ("n_features_in_", "_layout")
    own = {"n_features_in_": int, "_layout": str}
    found = fitted_kind(estimator, without=("model", "progress"), optional=optional, other=own)
    return found._replace(unbounded=("normal_",))  # NaN is missing there


def read_estimator(folder: Path, estimators: dict[str, type[Kept]], source: dict[str, str]) -> Any:
    """Read the folder of one of some estimators; the card of its model gets a source.

    Raises:
        ModelError: a missing or damaged folder, one of another format, or one with unknown names,
            values of other types, or numbers out of range.
    """
    restore(folder / "model")
    config, tensors = read_folder(folder, STATE, "saved")
    if (version := config.get("format")) != _FORMAT:
        raise ModelError(
            f"{folder} has format {version}, wanted {_FORMAT}: fit and save it again, or load it "
            "with the version of selftime that saved it, which its README.md names"
        )
    is_there = config.get("model") in ("own", "given")
    model = read_model(folder / "model", source) if is_there else None
    arrays = {name: tensor.numpy() for name, tensor in tensors.items()}
    if model is not None and model.reference_bank is not None:
        arrays[_BANK] = model.reference_bank
    kinds = kinds_with(model) | {name: kind_of(kind) for name, kind in estimators.items()}
    try:
        made = unpack(config["estimator"], Kept, kinds, arrays)
        if config["model"] == "given":
            made.model = model
        made._complete(model)
    except UNFIT as error:
        raise ModelError(f"{folder}: config and tensors do not fit ({error})") from error
    return made


def card_of_estimator(config: dict[str, Any], keeps: str) -> str:
    """Return the card as Markdown, from the same values that ``config.json`` holds."""
    record = config["estimator"]
    plain = {name: value for name, value in record.items() if _is_short(value)}
    channels = record.get("channels_", [])
    classes = record.get("classes_", {}).get("text")
    tables = {
        "Input": {"channels": ", ".join(map(str, channels))} if channels else {},
        "Classes": {"text": ", ".join(classes)} if classes else {},
        "Settings": {name: value for name, value in plain.items() if name[-1] != "_"},
        "Fitted": {name: value for name, value in plain.items() if name[-1] == "_"},
        "Made with": config["versions"],
    }
    opening = (
        f"# A selftime {record['kind']}",
        'Open it with `selftime.load("this-folder")`, or use it on new series by\n'
        "`selftime predict this-folder new.csv --out found.csv`.",
        *([keeps] if keeps else []),
    )
    return markdown_tables(opening, tables)


def _is_short(value: Any) -> bool:
    scalar = value is None or isinstance(value, bool | int | float | str)
    return scalar or isinstance(value, list) and len(value) < 20 and all(map(_is_short, value))
