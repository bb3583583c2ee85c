"""From the bytes of a file to text and lines; whatever is wrong with them is a SeriesError."""

import gzip
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from selftime.data.arrays import SeriesError


@contextmanager
def decoding(kind: str, mend: str = "make the file again or copy it again") -> Iterator[None]:
    """Whatever a decoder finds wrong within becomes one SeriesError, its warnings silence.

    Args:
        kind: what the bytes should be, for the message.
        mend: what the reader of the message can do.

    Raises:
        SeriesError: the decoder raised anything at all.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except SeriesError:
        raise
    except Exception as error:  # on broken files decoders raise anything, even KeyError
        reason = str(error).split("\n")[0] or type(error).__name__
        raise SeriesError(f"is not a whole {kind} file ({reason}): {mend}") from None


def suffix_of(path: Path) -> str:
    """The ending that tells the format: ``.csv`` for ``a.csv`` and for ``a.CSV.gz``."""
    return Path(path.name.lower().removesuffix(".gz")).suffix


def read_bytes(path: Path) -> bytes:
    """The content of a file, unpacked when its name ends in ``.gz``.

    Raises:
        SeriesError: not readable, cut gzip, or nothing in it.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SeriesError(f"cannot be opened ({error.strerror}): check the path") from None
    if path.suffix.lower() == ".gz":
        with decoding("gzip"):
            data = gzip.decompress(data)
    if not data.strip():
        raise SeriesError("is empty, wanted at least one series: check how it was written")
    return data


def text_lines(data: bytes) -> list[str]:
    """The lines of a UTF-8 text, without the empty ones at its end.

    Raises:
        SeriesError: not UTF-8.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SeriesError(
            f"holds byte {data[error.start]:#04x} at {error.start}, wanted UTF-8 text: "
            "save it as UTF-8"
        ) from None
    return text.replace("\r\n", "\n").replace("\r", "\n").rstrip().split("\n")
