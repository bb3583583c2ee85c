"""The app of the studio: its page, its routes, and who may ask."""

import hmac
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from selftime.report.page.page import colours
from selftime.studio.collection import Collection
from selftime.studio.desk import Desk
from selftime.studio.session import LabelSession
from selftime.web.replies import Refusal, add_errors, response_of
from selftime.web.requests import short
from selftime.web.sockets import is_local

log = logging.getLogger(__name__)
PAGE = Path(__file__).parent / "page"
MEDIA = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}
MOST_BODY = 1_000_000
"""Bytes of a request: rows of a selection of 100,000 series."""
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""Heads of every reply, for browsers: nothing comes from elsewhere, nothing goes there."""


def make_studio(collection: Collection, session: LabelSession, token: str) -> FastAPI:
    """Return the app of a studio; what is asked of it must bring the token."""
    desk = Desk(collection, session)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:  # noqa: ARG001 - as FastAPI calls it
        async with desk.running():
            yield

    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan)
    app.state.desk = desk
    add_files(app)
    read: dict[str, Callable[..., Awaitable[Response]]] = {
        "about": desk.about,
        "news": desk.news,
        "map": desk.places,
        "codes": desk.codes,
        "predictions": desk.predictions,
        "thumbs": desk.thumbs,
        "entries/{row}": desk.entry,
        "curve": desk.curve,
        "find": desk.find,
        "labels.csv": desk.table,
        "alike": desk.alike,
        "neighbours": desk.neighbours,
        "forecast": desk.forecast,
        "anomalies": desk.anomalies,
    }
    for path, answer in read.items():
        app.add_api_route(f"/api/{path}", answer, methods=["GET"])
    for path, answer in {"acts": desk.act, "export": desk.export}.items():
        app.add_api_route(f"/api/{path}", answer, methods=["POST"])
    add_errors(app)
    app.add_middleware(Guard, token=token)
    return app


def add_files(app: FastAPI) -> None:
    """Add the page: its files, which hold no data, and the colours of every picture."""
    files = {path.name: path.read_bytes() for path in sorted(PAGE.iterdir()) if path.is_file()}
    files["palette.css"] = f":root{{{colours()}}}".encode()

    @app.get("/")
    async def index() -> Response:
        return Response(files["index.html"], media_type=MEDIA[".html"])

    @app.get("/page/{name}")
    async def part(name: str) -> Response:
        if name not in files:
            raise Refusal(404, f"got {short(name)}, wanted a file of the page")
        return Response(files[name], media_type=MEDIA[Path(name).suffix])


class Guard:
    """A guard before all routes: no other site may ask, and nobody without the token for data.

    A page of another site that leads its name to this machine sends that name as Host; one that
    asks across origins sends its own as Origin. Tunnels may have another port, so the names of
    this machine count, whatever the port.

    Args:
        app: what is behind.
        token: asked for as ``Authorization: Bearer``; the page has it from its address.
    """

    def __init__(self, app: ASGIApp, token: str) -> None:
        self.app, self.wanted = app, f"Bearer {token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through that may come in, and tell browsers what they may do."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        answered = False

        async def send_with_headers(message: Message) -> None:
            nonlocal answered
            if message["type"] == "http.response.start":
                answered = True
                own = [(n.lower().encode(), v.encode()) for n, v in HEADERS.items()]
                message = {**message, "headers": [*message["headers"], *own]}
            await send(message)

        refusal = self.refusal_of(scope)
        if refusal is not None:
            await response_of(refusal)(scope, receive, send_with_headers)
            return
        try:
            await self.app(scope, receive, send_with_headers)
        except Exception:  # a fault of ours: said in the log, and no more outside
            log.exception("a request failed")
            if not answered:
                await response_of(RuntimeError())(scope, receive, send_with_headers)

    def refusal_of(self, scope: Scope) -> Refusal | None:
        """Return why a request may not come in; None where it may."""
        heads = {name: value.decode("latin1") for name, value in scope["headers"]}
        host = heads.get(b"host", "")
        if not is_local(re.sub(r":\d{1,5}$", "", host).strip("[]")):
            return Refusal(403, f"got Host {short(host)}, wanted localhost: no other site may ask")
        origin = heads.get(b"origin")
        if origin is not None and origin != f"http://{host}":
            return Refusal(403, f"got Origin {short(origin)}, wanted http://{host}")
        if heads.get(b"sec-fetch-site", "none") not in ("none", "same-origin"):
            return Refusal(403, "another site asks, wanted the studio's own page")
        if not scope["path"].startswith("/api/"):
            return None
        if not hmac.compare_digest(heads.get(b"authorization", "").encode("latin1"), self.wanted):
            return Refusal(401, "got no token that is known: open the address that was printed")
        if scope["method"] == "POST":
            size = heads.get(b"content-length", "")
            if not size.isdecimal() or int(size) > MOST_BODY:
                return Refusal(413, f"got {short(size)} bytes, wanted at most {MOST_BODY:,}")
        return None
