"""MATLAB (``.mat``) and HDF5 (``.h5``, ``.hdf5``) files: arrays under the names of ``.npz``."""

import io
from collections.abc import Mapping
from typing import Any

import numpy as np

from selftime.data.arrays import SeriesError
from selftime.data.formats.npz import NAMES, series_of_arrays
from selftime.data.formats.text import decoding
from selftime.data.series import SeriesSet

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
        parts = {name: part for name, part in file.items() if not name.startswith("#")}
        if len(parts) == 1 and isinstance(group := next(iter(parts.values())), h5py.Group):
            parts = dict(group.items())
        arrays = {name: part for name, part in parts.items() if hasattr(part, "dtype")}
        texts = {name for name, part in arrays.items() if h5py.check_string_dtype(part.dtype)}
        return {
            name: np.asarray(part.asstr()[()] if name in texts else part[()])
            for name, part in arrays.items()
            if name in texts or part.dtype.kind != "O"  # references, as to cells of MATLAB
        }


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
