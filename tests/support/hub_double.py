"""A hub of this machine: repositories, commits and files over the interface of huggingface.co."""

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlparse


class HubDouble:
    """What a hub holds: files of every commit, the newest commit of every branch, and requests."""

    def __init__(self) -> None:
        self.commits: dict[str, dict[str, bytes]] = {}
        self.branches: dict[tuple[str, str], str] = {}
        self.asked: list[str] = []

    def files_at(self, name: str, revision: str) -> tuple[str, dict[str, bytes]] | None:
        """The commit that a revision stands for, and its files."""
        commit = self.branches.get((name, revision), revision)
        return (commit, self.commits[commit]) if commit in self.commits else None

    def commit(self, name: str, branch: str, added: dict[str, bytes]) -> str:
        """Add files to a branch."""
        before = self.commits.get(self.branches.get((name, branch), ""), {})
        files = before | added
        content = repr(sorted((k, hashlib.sha1(v).hexdigest()) for k, v in files.items()))
        oid = hashlib.sha1(content.encode()).hexdigest()
        self.commits[oid], self.branches[name, branch] = files, oid
        return oid


class Handler(BaseHTTPRequestHandler):
    """Requests of huggingface_hub for models."""

    hub: HubDouble

    def log_message(self, format: str, *args) -> None:
        self.hub.asked.append(format % args)

    @property
    def own(self) -> str:
        """The address of this hub."""
        return f"http://{self.headers['Host']}"

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = unquote(urlparse(self.path).path)
        if found := re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/(revision|tree)/(.+))?", path):
            name, what, revision = found.groups()
            return self.describe(name, what, revision or "main")
        if found := re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            name, revision, file = found.groups()
            commit, files = self.hub.files_at(name, revision) or ("", {})
            if file in files:
                etag = hashlib.sha1(files[file]).hexdigest()
                return self.answer(files[file], {"X-Repo-Commit": commit, "ETag": f'"{etag}"'})
            return self.answer(b"", {"X-Error-Code": "EntryNotFound"}, status=404)
        return self.answer(b"", {}, status=404)

    def describe(self, name: str, what: str | None, revision: str) -> None:
        found = self.hub.files_at(name, revision)
        if found is None:
            known = any(own == name for own, _ in self.hub.branches)
            code = "RevisionNotFound" if known else "RepoNotFound"
            return self.answer(b"", {"X-Error-Code": code}, status=404)
        commit, files = found
        if what == "tree":
            rows = [
                {"type": "file", "path": k, "size": len(v), "oid": hashlib.sha1(v).hexdigest()}
                for k, v in files.items()
            ]
            return self.say(rows)
        return self.say({"id": name, "sha": commit, "siblings": [{"rfilename": k} for k in files]})

    def do_POST(self) -> None:
        path = urlparse(self.path).path
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        if path == "/api/repos/create":
            made = json.loads(body)
            return self.say({"url": f"{self.own}/{made['organization']}/{made['name']}"})
        if path == "/api/validate-yaml":
            return self.say({"errors": [], "warnings": []})
        if "/preupload/" in path:
            each = [
                {"path": file["path"], "uploadMode": "regular", "shouldIgnore": False, "oid": None}
                for file in json.loads(body)["files"]
            ]
            return self.say({"files": each})
        found = re.fullmatch(r"/api/models/([^/]+/[^/]+)/commit/(.+)", path)
        if found is None:
            return self.answer(b"", {}, status=404)
        lines = [json.loads(line) for line in body.splitlines()]
        added = {
            line["value"]["path"]: base64.b64decode(line["value"]["content"])
            for line in lines
            if line["key"] == "file"
        }
        oid = self.hub.commit(*found.groups(), added)
        return self.say({"commitOid": oid, "commitUrl": f"{self.own}/{found[1]}/commit/{oid}"})

    def say(self, content) -> None:
        self.answer(json.dumps(content).encode(), {"Content-Type": "application/json"})

    def answer(self, content: bytes, headers: dict[str, str], status: int = 200) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


@contextmanager
def serve_hub() -> Iterator[tuple[HubDouble, str]]:
    """Serve a hub that is empty; yield it and its address."""
    hub = HubDouble()
    own = type("OwnHandler", (Handler,), {"hub": hub})
    server = ThreadingHTTPServer(("127.0.0.1", 0), own)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub, f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
