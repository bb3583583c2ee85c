"""The app: routes, who may come in, what is said of errors, and the page that shows how to ask."""

import hmac
import logging
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from html import escape
from shlex import quote
from typing import Any

import numpy as np
from fastapi import FastAPI, Request, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from selftime.serving.answers import tasks_of
from selftime.serving.bodies import ARROW
from selftime.serving.limits import Limits
from selftime.serving.metrics import CONTENT_TYPE
from selftime.serving.options import OF_TASKS
from selftime.serving.service import READING, Service
from selftime.serving.shelf import Served, Shelf
from selftime.web.replies import JSON, Refusal, add_errors, plain, response_of

log = logging.getLogger(__name__)
_STEPS = 24
"""Timepoints of the series of an example."""
SUMMARIES = {
    "embed": "One vector for each series.",
    "classify": "The class of each series, or of each timepoint, with all probabilities.",
    "regress": "The value of each series.",
    "forecast": "The next steps of each series, with quantiles.",
    "impute": "Series with their missing values filled in, and quantiles of these.",
    "search": "The entries of an index that are most like each series.",
    "detect": "A score for each timepoint of recordings, and their alarms.",
}
OPEN = ("/health",)
"""Paths that need no key."""


def make_app(
    folders: Sequence[str], limits: Limits | None = None, key: str | None = None
) -> FastAPI:
    """Return the app that serves saved folders; ``key`` is asked of every request but for health.

    Raises:
        ValueError: folders that cannot be served, or a key that no header can hold.
    """
    if key is not None and (not key.isascii() or not key.isprintable() or not key.strip()):
        raise ValueError("got a key that no header can hold, wanted letters and digits")
    service = Service(Shelf(folders), limits or Limits())

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:  # noqa: ARG001 - as FastAPI calls it
        async with service.running():
            yield

    app = FastAPI(
        title="selftime",
        summary="Saved models behind an address.",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.service = service
    add_tasks(app, service)
    add_streams(app, service)
    add_pages(app, service)
    add_errors(app)
    app.add_middleware(Gate, service=service, key=key)
    return app


def add_tasks(app: FastAPI, service: Service) -> None:
    """Add a route for each task."""

    def add(task: str) -> None:
        async def answer(request: Request) -> Response:
            return await service.answer(task, request)

        app.add_api_route(
            f"/{task}",
            answer,
            methods=["POST"],
            summary=SUMMARIES[task],
            openapi_extra=described_body(service, task),
            operation_id=task,
        )

    for task in SUMMARIES:
        add(task)


def described_body(service: Service, task: str) -> dict[str, Any]:
    """Return what the OpenAPI page says of a body, with an example that runs."""
    example, name = example_of(service.shelf, task)
    own = [
        parameter(option, f"Of a table of arrow: {option}, as st.read takes it.")
        for option in READING
    ]
    own += [parameter(option, f"{text}.") for option, text in OF_TASKS.get(task, {}).items()]
    media = {} if example is None else {"example": example}
    content: dict[str, Any] = {
        JSON: {"schema": {"type": "object"}, **media},
        ARROW: {"schema": {"type": "string", "format": "binary"}},
    }
    return {
        "parameters": [which_model(service, name), *own],
        "requestBody": {"required": True, "content": content},
    }


def which_model(service: Service, name: str | None) -> dict[str, Any]:
    """Return what the OpenAPI page says of ``?model=``."""
    found = parameter("model", "Name of the model; needed where there are several.")
    several = name is not None and len(service.shelf.served) > 1
    return found | {"example": name} if several else found


def parameter(name: str, text: str) -> dict[str, Any]:
    """Return what the OpenAPI page says of a word after ``?``."""
    return {
        "name": name,
        "in": "query",
        "required": False,
        "description": text,
        "schema": {"type": "string"},
    }


def add_streams(app: FastAPI, service: Service) -> None:
    """Add the routes of streams."""
    asked, values, name = example_of_stream(service.shelf)
    model = which_model(service, name)

    def body(example: Any) -> dict[str, Any]:
        return {"required": True, "content": {JSON: {"example": example}}}

    @app.post(
        "/streams",
        summary="Begin a stream.",
        operation_id="begin",
        openapi_extra={"parameters": [model], "requestBody": body(asked)},
    )
    async def begin(request: Request) -> Response:
        return await service.begin(request)

    @app.post(
        "/streams/{stream}",
        summary="The next timepoints of a stream.",
        operation_id="advance",
        openapi_extra={"requestBody": body(values)},
    )
    async def advance(stream: str, request: Request) -> Response:
        return await service.advance(stream, request)

    @app.delete("/streams/{stream}", summary="End a stream.", operation_id="end")
    async def end(stream: str) -> Response:
        return service.end(stream)


def add_pages(app: FastAPI, service: Service) -> None:
    """Add what is only read."""

    @app.get("/health", summary="Whether all is well; needs no key.", operation_id="health")
    async def health() -> Response:
        return plain(service.health())

    @app.get("/models", summary="What is served.", operation_id="models")
    async def models() -> Response:
        return plain(service.models())

    @app.get("/metrics", summary="Metrics for Prometheus.", operation_id="metrics")
    async def metrics() -> Response:
        return Response(service.metrics.text(), media_type=CONTENT_TYPE)

    @app.get("/docs", include_in_schema=False)
    async def docs(request: Request) -> Response:
        return Response(page_of(app.openapi(), request.url.netloc), media_type="text/html")


def example_of(shelf: Shelf, task: str) -> tuple[dict[str, Any] | None, str | None]:
    """Return a body for a task that runs, and the model that it is for; None without one."""
    able = [one for one in shelf.served.values() if task in tasks_of(one)]
    for served in able:
        body = example_body(served, task)
        if body is not None:
            return body, served.name
    return None, able[0].name if able else None


def example_body(served: Served, task: str) -> dict[str, Any] | None:
    """Return a series, or a text, for a model; None where it reads neither."""
    if served.kind.name == "text":
        return {"series": ["a text of some letters"], "ids": ["first"]}
    if served.kind.name != "series":
        return None
    model = served.model
    channels = model.channels if task == "embed" and model else served.channels
    body = {"series": [waves(len(channels))], "channels": list(channels), "ids": ["first"]}
    given = served.found.fitted_.config.covariates if task == "forecast" else ()
    if given:
        ahead = waves(len(given), served.found.horizon)
        return body | {"future": {"series": [ahead], "channels": list(given), "ids": ["first"]}}
    return body


def example_of_stream(shelf: Shelf) -> tuple[dict[str, Any], dict[str, Any], str | None]:
    """Return what begins a stream of vectors, two timepoints of it, and the model that it is of."""
    able = [one for one in shelf.served.values() if one.model and one.kind.name == "series"]
    channels = len(able[0].model.channels) if able and able[0].model else 1
    values = {"values": [[0.5] * channels, [None] * channels]}
    return {"vectors": True, "window": 32}, values, able[0].name if able else None


def waves(channels: int, steps: int = _STEPS) -> list[list[float]]:
    """Return a wave for each channel, in few digits."""
    t = np.arange(steps)
    return [np.round(np.sin(t / (2 + c)), 2).tolist() for c in range(channels)]


def page_of(openapi: dict[str, Any], host: str) -> str:
    """Return a page of all routes with a line to type for each; it loads nothing from elsewhere."""
    parts = []
    for path, methods in openapi["paths"].items():
        for method, route in methods.items():
            parts += [f"<h2>{method.upper()} {escape(path)}</h2><p>{escape(route['summary'])}</p>"]
            parts += [f"<pre>{escape(line_of_curl(host + path, method, route))}</pre>"]
    style = ":root{color-scheme:light dark}pre{white-space:pre-wrap;overflow-wrap:anywhere;"
    style += "border:1px solid;padding:.5em}body{font:1em sans-serif;max-width:60em;margin:2em auto"
    style += ";padding:0 1em}"
    head = '<!doctype html><html lang="en"><meta charset="utf-8"><title>selftime</title>'
    head += '<meta name="viewport" content="width=device-width">'
    note = '<p>The same for programs: <a href="openapi.json">openapi.json</a>.</p>'
    return f"{head}<style>{style}</style><h1>selftime</h1>{note}{''.join(parts)}</html>"


def line_of_curl(place: str, method: str, route: dict[str, Any]) -> str:
    """Return a line that asks for a route, or says that nothing here is for it."""
    content = route.get("requestBody", {}).get("content", {}).get(JSON, {})
    names = [p["example"] for p in route.get("parameters", ()) if "example" in p]
    line = f"curl -X {method.upper()} {quote(place + (f'?model={names[0]}' if names else ''))}"
    if "example" in content:
        body = str(plain(content["example"]).body, "utf8")
        return f"{line} -H 'Content-Type: {JSON}' -d {quote(body)}"
    return "# nothing that is served is for this" if content else line


class Gate:
    """A gate before all routes: asks for the key, counts requests, and takes their time.

    Args:
        app: what is behind.
        service: counts requests.
        key: asked for as ``Authorization: Bearer KEY_VARIABLE``, or None.
    """

    def __init__(self, app: ASGIApp, service: Service, key: str | None) -> None:
        self.app, self.service = app, service
        self.wanted = None if key is None else f"Bearer {key}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through that may come in, and count it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began, status = time.perf_counter(), 500

        async def note_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            if self.may_come_in(scope):
                await self.app(scope, receive, note_status)
            else:
                text = "got no key that is known, wanted the header Authorization: Bearer KEY"
                await response_of(Refusal(401, text))(scope, receive, note_status)
        except Exception:  # a fault of ours: said in the log, and no more outside
            log.exception("a request failed")
            if status == 500:
                await response_of(RuntimeError())(scope, receive, note_status)
        finally:
            route = getattr(scope.get("route"), "path", "other")
            self.service.metrics.see(route, status, time.perf_counter() - began)

    def may_come_in(self, scope: Scope) -> bool:
        """Return whether a request has the key, in a time that tells nothing of it."""
        if self.wanted is None or scope["path"] in OPEN:
            return True
        given = next((v for name, v in scope["headers"] if name == b"authorization"), b"")
        return hmac.compare_digest(bytes(given), self.wanted)
