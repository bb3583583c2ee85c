"""What every server here has in common: it ends in order, in a notebook too, and says errors."""

import _thread
import asyncio
import json
import socket
import threading
import urllib.request

import numpy as np
import pytest
from fastapi import FastAPI

from selftime.web import check_packages
from selftime.web.replies import Refusal, json_list, json_of, response_of
from selftime.web.sockets import is_local, listen, run_app


@pytest.mark.late
def test_a_server_runs_within_a_notebook_until_it_is_interrupted():
    app, ended, seen = FastAPI(), [], []
    app.add_api_route("/", lambda: "here")
    with listen("127.0.0.1", 0) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/"

        def ask():
            with urllib.request.urlopen(address, timeout=20) as reply:
                seen.append(json.load(reply))
            _thread.interrupt_main()

        async def cell():  # as ipykernel runs it: in a loop, interrupts raised where it stands
            threading.Timer(0.1, ask).start()
            with pytest.raises(KeyboardInterrupt):
                run_app(app, listener, grace=1, ending=lambda: ended.append(True))

        loop = asyncio.new_event_loop()
        loop.run_until_complete(cell())
        loop.close()
    assert seen == ["here"] and ended == [True]


def test_a_reply_does_not_wait_for_the_other_side_to_acknowledge_its_head():
    with listen("127.0.0.1", 0) as listener:
        where = listener.getsockname()
        with socket.create_connection(where), listener.accept()[0] as accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_values_are_plain_and_what_is_no_number_is_null():
    assert json_list(np.array([1.5, np.nan, np.inf])) == [1.5, None, None]
    assert json_list(np.array(["2024-01-31T10:00"], "datetime64[ns]")) == ["2024-01-31T10:00:00"]
    assert json_of({"a": [1, None, "ü"]}) == '{"a": [1, null, "ü"]}'.encode()
    with pytest.raises(ValueError, match="Out of range"):
        json_of([float("nan")])


@pytest.mark.parametrize(
    "error, status, text",
    [
        (Refusal(404, "got x, wanted y"), 404, "got x, wanted y"),
        (ValueError("got\n  a line"), 422, "got a line"),
        (RuntimeError("a secret"), 500, "the server failed, which is noted in its log"),
    ],
)
def test_errors_say_no_more_than_they_should(error, status, text):
    found = response_of(error)
    assert found.status_code == status and json.loads(found.body) == {
        "error": text,
        "status": status,
    }


def test_where_only_this_machine_can_ask():
    hosts = ("127.0.0.1", "::1", "localhost", "0.0.0.0", "localhost.evil.example", "")
    assert [is_local(host) for host in hosts] == [True] * 3 + [False] * 3


def test_packages_that_are_not_there_are_named():
    check_packages("all", "serve", ("json",))
    with pytest.raises(ValueError, match=r"all needs the package no_such: pip install 'selft"):
        check_packages("all", "serve", ("json", "no_such"))
