"""Sockets: where a server listens, who can reach it, and how long it runs."""

import asyncio
import signal
import socket
from collections.abc import Callable
from ipaddress import ip_address
from threading import Event, Thread
from types import FrameType

import uvicorn
from fastapi import FastAPI

_BACKLOG = 2048


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens.

    Its connections send what they have at once: otherwise the body of a reply waits until its head
    is acknowledged, which takes 40 ms where the other side is in no hurry (RFC 896).

    Raises:
        OSError: the address is taken or cannot be had, named.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except (OSError, OverflowError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise OSError(f"cannot listen at {host}:{port} ({why}): choose another port") from None
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def is_local(host: str) -> bool:
    """Return whether only this machine reaches an address."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Listening(uvicorn.Server):
    """A server that says when it is asked to end, so that whoever waits can be let go."""

    ending: Callable[[], None] = staticmethod(lambda: None)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """End in order, at the second time at once."""
        self.ending()
        super().handle_exit(sig, frame)


def run_app(
    app: FastAPI,
    listener: socket.socket,
    *,
    grace: int,
    ending: Callable[[], None] | None = None,
) -> None:
    """Serve an app until SIGTERM or Ctrl-C; what runs then has ``grace`` seconds to finish.

    ``ending`` is called first.
    """
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws="none",
        timeout_graceful_shutdown=grace,
    )
    server = Listening(config)
    if ending is not None:
        server.ending = ending
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        server.run(sockets=[listener])
        return
    done = Event()  # an interrupted join would take the thread for ended

    def run() -> None:
        try:
            server.run(sockets=[listener])
        finally:
            done.set()

    Thread(target=run, name="server").start()  # a notebook has a loop of its own
    try:
        while not done.wait(0.2):
            pass  # an interrupt is seen in between
    except KeyboardInterrupt:
        server.handle_exit(signal.SIGINT, None)
        done.wait()
        raise
