"""Replies: plain values as JSON, and refusals with what came, what was wanted and what to do."""

import json
from typing import Any

import numpy as np
import pyarrow as pa
from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException

from selftime.data.clock import iso_text

JSON = "application/json"


class Refusal(Exception):
    """A request that is not answered as it is: its status, the reason in words, when to come again.

    Attributes:
        status: of HTTP.
        text: what came, what was wanted and what to do.
        retry: seconds after which the same request may do, or None.
    """

    def __init__(self, status: int, text: str, retry: int | None = None) -> None:
        super().__init__(text)
        self.status, self.text, self.retry = status, text, retry


def json_of(values: Any) -> bytes:
    """Return plain values as JSON."""
    return json.dumps(values, allow_nan=False, ensure_ascii=False).encode("utf8", "replace")


def json_list(column: Any) -> list[Any]:
    """Return a column as a list of plain values."""
    if isinstance(column, np.ndarray) and column.dtype.kind == "f":
        if np.isfinite(column).all():
            return list(column.tolist())
        cells = column.astype(object)
        cells[~np.isfinite(column)] = None
        return list(cells.tolist())
    if isinstance(column, np.ndarray) and column.dtype.kind not in "mM":
        return list(column.tolist())
    known = column if isinstance(column, pa.Array | pa.ChunkedArray) else pa.array(column)
    known = known.combine_chunks() if isinstance(known, pa.ChunkedArray) else known
    known = iso_text(known) if pa.types.is_timestamp(known.type) else known
    return [
        value if isinstance(value, str | int | float | bool | None) else str(value)
        for value in known.to_pylist()
    ]


def plain(values: Any, status: int = 200) -> Response:
    """Return plain values as a response of JSON."""
    return Response(json_of(values), status_code=status, media_type=JSON)


def add_errors(app: FastAPI) -> None:
    """Say errors as JSON: the status, and what came, what was wanted and what to do."""

    async def refuse(request: Request, error: Exception) -> Response:  # noqa: ARG001
        return response_of(error)

    async def miss(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        wanted = "see /docs"
        if error.status_code == 405:
            wanted = f"wanted {(error.headers or {}).get('Allow', 'another method')}"
        text = f"got {request.method} {request.url.path[:100]}: {error.detail}, {wanted}"
        return response_of(Refusal(error.status_code, text))

    app.add_exception_handler(Refusal, refuse)
    app.add_exception_handler(ValueError, refuse)
    app.add_exception_handler(HTTPException, miss)


def response_of(error: Exception) -> Response:
    """Return what is said of an error; of bad series 422, of our own faults 500 and no more."""
    if isinstance(error, Refusal):
        response = plain({"error": error.text, "status": error.status}, error.status)
        if error.retry is not None:
            response.headers["Retry-After"] = str(error.retry)
        if error.status == 401:
            response.headers["WWW-Authenticate"] = "Bearer"
        return response
    if isinstance(error, ValueError):
        return plain({"error": " ".join(str(error).split()), "status": 422}, 422)
    return plain({"error": "the server failed, which is noted in its log", "status": 500}, 500)
