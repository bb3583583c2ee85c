"""MATLAB (``.mat``) and HDF5 (``.h5``, ``.hdf5``) files: arrays under the names of ``.npz``."""

import io
import zlib
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from selftime.data.arrays import SeriesError
from selftime.data.formats.bounds import check_memory, most_bytes, size_in_words
from selftime.data.formats.npz import NAMES, series_of_arrays
from selftime.data.formats.text import decoding
from selftime.data.series import SeriesSet

_MAT_HEADER, _COMPRESSED = 128, 15
_SIGNATURE = b"\x89HDF\r\n\x1a\n"


def read_hdf5(data: bytes) -> SeriesSet:
    """Read series from the arrays at the root of an HDF5 file, or of its only group.

    Raises:
        SeriesError: h5py is not installed, it is no HDF5 file, or no array has a known name.
    """
    return series_of_arrays(_without_ends_of_one(_hdf5_arrays(data)))


def read_mat(data: bytes) -> SeriesSet:
    """Read series from the arrays of a MATLAB file; those of version 7.3 need h5py.

    A vector, (T,1) or (1,T), is one series.

    Raises:
        SeriesError: it is no MATLAB file, or no array has a known name.
    """
    from scipy.io import loadmat  # slow to import, and few read it

    if _SIGNATURE in data[:1024]:  # version 7.3 is HDF5, with axes in the order of Fortran
        arrays = {name: array.T for name, array in _hdf5_arrays(data).items()}
    else:
        with decoding("mat", "save it again with save -v7"):
            _check_mat(data)
            found = loadmat(io.BytesIO(data))
        arrays = {
            name: part
            for name, part in found.items()
            if isinstance(part, np.ndarray) and not name.startswith("__")
        }
    return series_of_arrays(_without_ends_of_one(arrays))


def _hdf5_arrays(data: bytes) -> dict[str, np.ndarray]:
    try:
        import h5py
    except ImportError:
        raise SeriesError(
            "needs the package h5py: pip install 'selftime[hdf5]', or save it as .npz"
        ) from None
    with decoding("HDF5"), h5py.File(io.BytesIO(data), "r") as file:
        parts = _own_parts(file)
        if len(parts) == 1 and isinstance(group := next(iter(parts.values())), h5py.Group):
            parts = _own_parts(group)
        arrays = {name: part for name, part in parts.items() if hasattr(part, "dtype")}
        texts = {name for name, part in arrays.items() if h5py.check_string_dtype(part.dtype)}
        size = sum(part.size * part.dtype.itemsize for part in arrays.values())
        check_memory(2 * size, len(data), f"holds arrays of {size_in_words(size)}")
        return {
            name: np.asarray(part.asstr()[()] if name in texts else part[()])
            for name, part in arrays.items()
            if name in texts or part.dtype.kind != "O"  # references, as to cells of MATLAB
        }


def _own_parts(group: Any) -> dict[str, Any]:
    """Return the parts of a group that are in the file itself: none leads to another file."""
    import h5py

    links = {name: group.get(name, getlink=True) for name in group if not name.startswith("#")}
    parts = {n: group[n] for n, link in links.items() if not isinstance(link, h5py.ExternalLink)}
    for name, part in parts.items():
        is_array = isinstance(part, h5py.Dataset)
        if is_array and (part.external or part.is_virtual):
            raise SeriesError(f"{name!r} has its numbers in another file: copy them into this one")
    if len(parts) < len(links):
        names = ", ".join(map(repr, set(links) - set(parts)))
        raise SeriesError(f"{names} lead to another file, wanted arrays: copy them into this one")
    return parts


def _check_mat(data: bytes) -> None:
    """Raise a SeriesError where compressed elements of a MATLAB file (version 5) are too large."""
    most, size, at = most_bytes(len(data)), 0, _MAT_HEADER
    is_little = data[_MAT_HEADER - 2 : _MAT_HEADER] == b"IM"
    order: Literal["little", "big"] = "little" if is_little else "big"
    while at + 8 <= len(data) and size <= most:
        kind, length = (int.from_bytes(data[i : i + 4], order) for i in (at, at + 4))
        if kind == _COMPRESSED:
            unpacker, rest = zlib.decompressobj(), data[at + 8 : at + 8 + length]
            while rest and size <= most:
                size += len(unpacker.decompress(rest, 1 << 24))
                rest = unpacker.unconsumed_tail
        at += 8 + length
    check_memory(2 * size, len(data), f"unpacks to {size_in_words(size)} or more")


def _without_ends_of_one(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return columns of a value a series as vectors, and values in vectors as one series."""
    plain = {}
    for name, array in arrays.items():
        of_series = name not in NAMES["values"] and any(name in part for part in NAMES.values())
        is_vector = array.ndim == 2 and 1 in array.shape and (of_series or array.shape[1] == 1)
        flat = array.ravel() if is_vector else array
        plain[name] = np.array([_name(cell) for cell in flat]) if flat.dtype == object else flat
    return plain


def _name(cell: Any) -> Any:
    """Return the text or number in a cell of MATLAB, which are arrays of one."""
    return cell.item() if isinstance(cell, np.ndarray) and cell.size == 1 else cell
