"""Files elsewhere: what a URL names is copied here to be read, and messages show the URL.

``http(s)://`` needs nothing else, ``s3://``, ``gs://`` and all other stores fsspec and its drivers.
"""

import hashlib
import os
import re
import shutil
import tempfile
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import unquote, urlsplit

from selftime.data.arrays import SeriesError
from selftime.data.files import whole_file
from selftime.data.places import seize

_CHUNK = 1 << 20
_SECONDS = 60.0
_USER = re.compile(r"(?<=://)[^/@\s'\"]+@")
_QUERY = re.compile(r"(://[^\s?'\"]*)\?[^\s'\")]*=[^\s'\")]*")


def without_secrets(source: Any) -> str:
    """Return a path or URL as it may be printed and kept: without passwords and signatures.

    Example:
        >>> without_secrets("https://me:secret@example.org/a.csv?sig=1")
        'https://example.org/a.csv?…'
    """
    text = os.fsdecode(source) if isinstance(source, bytes | os.PathLike) else str(source)
    return _QUERY.sub(r"\1?…", _USER.sub("", text)) if "://" in text else text


@contextmanager
def copy_of(url: str) -> Iterator[Path]:
    """Yield the place of a copy of a file, folder or pattern; it vanishes after an error-free use.

    What is whole already of an earlier copy that broke off is kept, so that a second call goes on.
    Messages of errors within show the URL where they would show the copy.

    Raises:
        SeriesError: there is nothing, no permission, no driver; or the connection broke off.
    """
    if url.startswith("file://"):
        yield Path(unquote(urlsplit(url).path))
        return
    name, folder = without_secrets(url), _folder_of(url)
    with TemporaryDirectory(prefix="selftime-") as own:
        handle = None if folder is None else seize(folder)
        folder = Path(own) if handle is None or folder is None else folder
        try:
            with _naming(url, name):
                copy = _from_web if url.startswith(("http:", "https:")) else _from_store
                path = copy(url, folder)
            try:
                yield path
            except SeriesError as error:
                raise type(error)(as_named(str(error), path, name)) from None
            shutil.rmtree(folder, ignore_errors=True)
        finally:
            if handle is not None:
                os.close(handle)


def as_named(text: str, path: Path, name: str) -> str:
    """Return a message that shows a URL where it showed the place of its copy."""
    return text.replace(str(path), name)


def _folder_of(url: str) -> Path | None:
    """Return the folder of copies of a URL, which nobody else may look into; None without."""
    known = hashlib.sha256(url.encode()).hexdigest()[:24]
    folder = Path(tempfile.gettempdir()) / f"selftime-{known}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    strange = hasattr(os, "getuid") and found.st_uid != os.getuid()
    if folder.is_symlink() or strange or found.st_mode & 0o077:
        return None
    return folder


@contextmanager
def _naming(url: str, name: str) -> Iterator[None]:
    """Say of which URL something is wrong, and what to do, without passwords and signatures."""
    try:
        yield
    except SeriesError as error:
        raise SeriesError(f"{name}: {error}") from None
    except FileNotFoundError:
        raise SeriesError(
            f"{name}: no such file, folder or bucket, wanted one to read: check the URL"
        ) from None
    except PermissionError as error:
        raise SeriesError(
            f"{name}: may not be read ({_words_of(error, url)}): give its driver credentials, "
            "by its environment variables or its own files"
        ) from None
    except ImportError as error:
        raise SeriesError(
            f"{name}: needs another package ({_words_of(error, url)}): pip install it, or copy the "
            "files here"
        ) from None
    except Exception as error:  # drivers of stores raise anything
        raise SeriesError(
            f"{name}: could not be copied ({type(error).__name__}: {_words_of(error, url)}): check "
            "URL and connection, and call it again; files that are whole are kept"
        ) from None


def _words_of(error: Exception, url: str) -> str:
    return without_secrets(" ".join(str(error).replace(url, "it").split()))[:300]


def _from_web(url: str, folder: Path) -> Path:
    name = unquote(Path(urlsplit(url).path).name)
    if not name:
        raise SeriesError("is a folder of the web, which has no list of files: name the files")
    parts = urlsplit(url)
    plain = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    request = urllib.request.Request(plain)
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        code = b64encode(pair.encode()).decode()
        request.add_unredirected_header("Authorization", f"Basic {code}")
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS) as stream:
            size = stream.headers.get("Content-Length")
            stamp = (stream.headers.get("ETag"), stream.headers.get("Last-Modified"))
            return _copy(stream, folder / name, None if size is None else int(size), stamp)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code in (404, 410):
            raise FileNotFoundError from None
        if error.code in (401, 403):
            raise PermissionError(f"{error.code} {error.reason}") from None
        raise


def _from_store(url: str, folder: Path) -> Path:
    """Copy a file, a folder or the files of a pattern by fsspec."""
    try:
        import fsspec
    except ImportError:
        raise SeriesError(
            "needs the package fsspec: pip install 'selftime[store]', or copy the files here"
        ) from None
    try:
        store, place = fsspec.core.url_to_fs(url)
    except ValueError as error:
        raise SeriesError(
            f"is no URL that fsspec knows ({_words_of(error, url)}): check it"
        ) from None
    place = place.rstrip("/")
    if any(mark in place for mark in "*[") and not store.exists(place):
        found = {name: store.info(name) for name in store.glob(place)}
        root = re.split(r"[*\[?]", place)[0].rpartition("/")[0]
        found = {name: about for name, about in found.items() if about["type"] == "file"}
        target = folder / "files"
    else:
        found = store.find(place, detail=True)
        root, target = place, folder / Path(place).name
        if list(found) == [place]:
            root = place.rpartition("/")[0]
    if not found:
        raise FileNotFoundError
    for name, about in sorted(found.items()):
        inside = [part for part in name[len(root) :].split("/") if part not in ("", ".", "..")]
        one = folder / inside[0] if list(found) == [place] else target.joinpath(*inside)
        keys = ("ETag", "etag", "mtime", "LastModified", "updated", "created", "generation")
        with store.open(name, "rb") as stream:
            _copy(stream, one, about.get("size"), tuple(str(about.get(key)) for key in keys))
    return target


def _copy(stream: Any, path: Path, size: int | None, stamp: tuple[Any, ...]) -> Path:
    """Copy a stream to a file whose time stands for its stamp; one that is there stays.

    Raises:
        SeriesError: fewer bytes came than were promised.
    """
    time = int(hashlib.sha256(repr(stamp).encode()).hexdigest()[:12], 16) // 10**5 + 1
    if path.exists() and path.stat().st_size == size and path.stat().st_mtime_ns == time * 10**9:
        return path
    with whole_file(path) as file:
        shutil.copyfileobj(stream, file, _CHUNK)
        if size is not None and (came := file.tell()) != size:
            raise SeriesError(
                f"broke off after {came:,} of {size:,} bytes of {path.name}: call it again, files "
                "that are whole are kept"
            )
    os.utime(path, (time, time))
    return path
