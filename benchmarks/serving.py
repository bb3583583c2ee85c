"""A server under load on one machine: `python -m benchmarks.serving`.

A server is a process of its own, asked over sockets by another one on the same machine: requests of
one window (3 channels, 128 steps) by many connections at once, then one at a time, with and without
waiting 5 ms for others; series of JapaneseVowels, whose lengths differ (7 to 29 steps), so that few
can be encoded together; 1,000 streams that advance at once; and all requests of
`benchmarks.bad_bodies`. Answers are compared with those of Python on all series at once. Memory and
CPU seconds are those that the server says of itself at /metrics.
"""

import argparse
import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np

import selftime as st
from benchmarks.bad_bodies import JSON, bad_bodies
from selftime.engine.model import current_versions

CHANNELS = ("heat", "force")
OUT = Path(__file__).parent / "results" / "serving.json"


class Reply(NamedTuple):
    """A reply: its status, its body, and how long it took."""

    status: int
    body: bytes
    seconds: float


class Connection:
    """A connection that is kept: plain HTTP/1.1 over a socket, as light as can be."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, method: str, path: str, body: bytes = b"", media: str = JSON) -> Reply:
        """Return the reply to a request."""
        began = time.perf_counter()
        if self.streams is None:
            self.streams = await asyncio.open_connection("127.0.0.1", self.port)
        reader, writer = self.streams
        head = f"{method} {path} HTTP/1.1\r\nHost: here\r\nContent-Type: {media}\r\n"
        writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode("latin1") + body)
        await writer.drain()
        answer = (await reader.readuntil(b"\r\n\r\n")).decode("latin1").lower()
        size = int(re.search(r"content-length: (\d+)", answer)[1])
        found = await reader.readexactly(size)
        if "connection: close" in answer:
            self.close()
        return Reply(int(answer.split()[1]), found, time.perf_counter() - began)

    def close(self) -> None:
        """End the connection."""
        if self.streams is not None:
            self.streams[1].close()
            self.streams = None


@contextmanager
def server(folders: list[str], *words: str) -> Iterator[int]:
    """The port of a server that runs as a process of its own until the block ends."""
    command = [sys.executable, "-m", "selftime", "serve", *folders, "--port", "0", *words]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=os.environ)
    try:
        said = ""
        while "http://" not in said:
            said = process.stderr.readline()
            assert said, "the server ended"
        yield int(re.search(r"http://[^ ]+:(\d+)", said)[1])
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        process.stderr.close()


async def metric(port: int, name: str) -> float:
    """A number of the server at /metrics."""
    one = Connection(port)
    text = (await one.ask("GET", "/metrics")).body.decode()
    one.close()
    return float(re.search(rf"^{name} (.+)$", text, re.M)[1])


async def memory_of(port: int) -> float:
    """Megabytes that the server keeps in memory."""
    return await metric(port, "process_resident_memory_bytes") / 1e6


async def cpu_of(port: int) -> float:
    """CPU seconds that the server took so far."""
    return await metric(port, "process_cpu_seconds_total")


async def load(port: int, path: str, bodies: list[bytes], count: int, connections: int) -> dict:
    """Requests a second and their milliseconds, ``connections`` of which are always under way."""
    left, found = iter(range(count)), list[Reply]()

    async def client() -> None:
        one = Connection(port)
        for k in left:
            found.append(await one.ask("POST", path, bodies[k % len(bodies)]))
        one.close()

    cpu, began = await cpu_of(port), time.perf_counter()
    await asyncio.gather(*(client() for _ in range(connections)))
    seconds, cpu = time.perf_counter() - began, await cpu_of(port) - cpu
    assert all(reply.status == 200 for reply in found), {reply.status for reply in found}
    return figures(count, seconds, [reply.seconds for reply in found]) | {
        "server_cpu_ms_a_request": round(cpu / count * 1000, 2),
        "connections": connections,
    }


def figures(count: int, seconds: float, each: list[float]) -> dict[str, Any]:
    """Rate and quantiles of times."""
    p50, p99 = np.quantile(each, [0.5, 0.99]) * 1000
    return {
        "requests": count,
        "per_second": round(count / seconds, 1),
        "p50_ms": round(float(p50), 1),
        "p99_ms": round(float(p99), 1),
    }


async def stream_load(port: int, streams: int, rounds: int, channels: int) -> dict[str, Any]:
    """So many streams, each of a connection of its own, that advance a step at a time at once."""
    each = [Connection(port) for _ in range(streams)]
    rng = np.random.default_rng(0)
    begun = await asyncio.gather(
        *(one.ask("POST", "/streams", b'{"vectors": true}') for one in each)
    )
    names = [json.loads(reply.body)["stream"] for reply in begun]
    values = rng.normal(size=(rounds, channels)).round(3)
    found, cpu, began = list[Reply](), await cpu_of(port), time.perf_counter()
    for row in values:
        body = json.dumps({"values": [row.tolist()]}).encode()
        asked = (one.ask("POST", f"/streams/{n}", body) for one, n in zip(each, names, strict=True))
        found += await asyncio.gather(*asked)
    seconds, cpu = time.perf_counter() - began, await cpu_of(port) - cpu
    assert all(reply.status == 200 for reply in found)
    last = [np.array(json.loads(reply.body)["vectors"]) for reply in found[-streams:]]
    alike = all((one == last[0]).all() for one in last)
    memory = await memory_of(port)
    for one, name in zip(each, names, strict=True):
        await one.ask("DELETE", f"/streams/{name}")
        one.close()
    facts = figures(len(found), seconds, [reply.seconds for reply in found])
    facts |= {"streams": streams, "same_bits_for_the_same_values": alike}
    facts["server_cpu_ms_an_update"] = round(cpu / len(found) * 1000, 2)
    return facts | {"memory_mb": round(memory), "last": last[0][0].tolist(), "values": values}


async def refusals(port: int) -> dict[str, Any]:
    """Statuses of all bad requests, and how many say why."""
    counts, said, slowest = dict[str, int](), 0, 0.0
    for bad in bad_bodies():
        one = Connection(port)
        path = "/classify" + (f"?{bad.query}" if bad.query else "")
        reply = await one.ask("POST", path, bad.body, bad.media.strip() or "none")
        one.close()
        counts[str(reply.status)] = counts.get(str(reply.status), 0) + 1
        said += bool(len(json.loads(reply.body)["error"]) > 20)
        slowest = max(slowest, reply.seconds)
    good = sum(n for status, n in counts.items() if status.startswith("4"))
    whole = {"bodies": sum(counts.values()), "refused_4xx": good, "say_why": said}
    return whole | {"statuses": counts, "slowest_ms": round(slowest * 1000)}


def make_folders(folder: Path) -> dict[str, str]:
    """A classifier on random convolutions, a network that streams, and a detector's companions."""
    train = st.sample("JapaneseVowels", "train")
    model = st.pretrain(train, encoder="minirocket")
    rng = np.random.default_rng(0)
    waves = st.SeriesSet.of(rng.normal(size=(40, 2, 60)), np.arange(40) % 2, channels=CHANNELS)
    config = {"objective": "ts2vec", "encoder": "dilated_causal", "budget": "2 steps"}
    windows = machine_windows(60, rng)
    made: dict[str, Any] = {
        "speakers": st.Classifier(model).fit(train),
        "machine": st.Classifier(st.pretrain(windows, encoder="minirocket")).fit(windows),
        "streaming": st.pretrain(waves, **config),
        "two": st.Classifier(st.pretrain(waves, encoder="quantiles")).fit(waves),
    }
    return {name: str(one.save(folder / name)) for name, one in made.items()}


def machine_windows(n: int, rng: np.random.Generator) -> st.SeriesSet:
    """Windows of three channels and two states."""
    states, t = np.arange(n) % 2, np.arange(128)
    speed = (0.2 + 0.1 * states)[:, None, None] * np.array([1, 2, 3])[:, None]
    x = np.sin(speed * t + rng.uniform(0, 6, (n, 1, 1))) + 0.5 * rng.normal(size=(n, 3, 128))
    return st.SeriesSet.of(x.round(3), states, channels=("x", "y", "z"))


def body_of(series: st.SeriesSet, i: int) -> bytes:
    """One series as a body."""
    values = series.series(i).astype(float).tolist()
    return json.dumps({"series": [values], "channels": list(series.channels)}).encode()


async def compare(port: int, folder: str, test: st.SeriesSet, bodies: list[bytes]) -> dict:
    """Largest differences from Python: probabilities and vectors, series by series and at once."""
    classifier, found = st.load(folder), dict[str, np.ndarray]()
    one = Connection(port)
    for path in ("classify", "embed"):
        columns = [
            json.loads((await one.ask("POST", f"/{path}", body)).body)["columns"] for body in bodies
        ]
        names = [f"p_{label}" for label in classifier.classes_]
        rows = [c["vectors"][0] if path == "embed" else [c[n][0] for n in names] for c in columns]
        found[path] = np.array(rows)
    one.close()
    wanted = {"classify": classifier.predict_proba(test), "embed": classifier.model_.embed(test)}
    return {
        path: {"series": len(test), "largest_difference": float(np.abs(found[path] - own).max())}
        for path, own in wanted.items()
    }


def run(asked: argparse.Namespace, tell: Callable[[str], None] = print) -> dict[str, Any]:
    """All figures."""
    results: dict[str, Any] = {}
    test = st.sample("JapaneseVowels", "test")
    vowels = [body_of(test, i) for i in range(len(test))]
    windows = machine_windows(200, np.random.default_rng(1))
    bodies = [body_of(windows, i) for i in range(len(windows))]

    def note(name: str, facts: Any) -> None:
        results[name] = facts
        tell(f"{name}: {facts}")

    with TemporaryDirectory() as place:
        folders = make_folders(Path(place))
        with server([folders["machine"]]) as port:
            asyncio.run(load(port, "/classify", bodies, 50, 8))
            memory = [round(asyncio.run(memory_of(port)), 1)]
            fifths = []
            for _ in range(5):
                part = load(port, "/classify", bodies, asked.requests // 5, asked.connections)
                fifths.append(asyncio.run(part))
                memory.append(round(asyncio.run(memory_of(port)), 1))
            note("load_by_fifths", fifths)
            note("memory_mb_before_and_after_each_fifth", memory)
            note("one_at_a_time", asyncio.run(load(port, "/classify", bodies, asked.single, 1)))
        with server([folders["speakers"]]) as port:
            part = load(port, "/classify", vowels, asked.single, asked.connections)
            note("lengths_that_differ", asyncio.run(part))
            note("beside_python", asyncio.run(compare(port, folders["speakers"], test, vowels)))
        with server([folders["machine"]], "--batch-wait", "5") as port:
            asyncio.run(load(port, "/classify", bodies, 50, 8))
            part = load(port, "/classify", bodies, asked.single, asked.connections)
            note("load_while_waiting", asyncio.run(part))
            note("one_while_waiting", asyncio.run(load(port, "/classify", bodies, asked.single, 1)))
        with server([folders["streaming"]]) as port:
            facts = asyncio.run(stream_load(port, asked.streams, asked.rounds, len(CHANNELS)))
            offline = st.load(folders["streaming"]).stream()
            last = offline.update(facts.pop("values").T)[-1]
            facts["largest_difference"] = float(np.abs(last - np.array(facts.pop("last"))).max())
            note("streams", facts)
        with server([folders["two"]]) as port:
            note("bad_bodies", asyncio.run(refusals(port)))
            note("memory_after_bad_bodies_mb", round(asyncio.run(memory_of(port))))
    return results


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving", description=__doc__)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--single", type=int, default=500, help="requests one at a time")
    parser.add_argument("--streams", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=10, help="steps of each stream")
    parser.add_argument("--out", type=Path, default=OUT)
    asked = parser.parse_args()
    busy = {"load_average_before": os.getloadavg()[0], "cores": os.cpu_count()}
    results = run(asked)
    note = "shared by others while this was measured" if busy["load_average_before"] > 1 else ""
    busy["load_average_after"] = os.getloadavg()[0]
    whole = {"made_with": current_versions(), "machine": busy | {"note": note}, **results}
    asked.out.write_text(json.dumps(whole, indent=1) + "\n")
    print(f"written to {asked.out}")


if __name__ == "__main__":
    main()
