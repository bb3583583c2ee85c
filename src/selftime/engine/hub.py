"""The hub: folders of models at huggingface.co, or a host of its kind, and copies of them here."""

import os
import re
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple, Protocol, runtime_checkable

from selftime.data.files import place_of, write_text

SCHEME = "hf://"
"""Begins the address of a folder at the hub: ``hf://user/name`` or ``hf://user/name@revision``."""
_ADDRESS = re.compile(r"(?P<name>[\w.-]+/[\w.-]+)(@(?P<revision>[^\s@]+))?")
_LICENCE = re.compile(r"[a-z0-9][a-z0-9.+-]*")
_FILES = ("model.safetensors", "state.safetensors", "seen.safetensors", "config.json", "README.md")
"""Files of a folder, and of ``model/`` within it; no others are fetched."""
_TAGS = ("time-series", "self-supervised-learning")
_TRUE = {"1", "ON", "YES", "TRUE"}


class HubError(ValueError):
    """A folder that the hub does not give or take: the message says why and what to do."""


@runtime_checkable
class Saved(Protocol):
    """A model or an estimator, which can be saved as a folder."""

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Write the folder."""


class Fetched(NamedTuple):
    """A folder on this machine, and whence it came: repository and revision; {} if from here."""

    folder: Path
    source: dict[str, str]


def fetch(path: str | os.PathLike[str]) -> Fetched:
    """Return a folder as it is, or the copy here of one at the hub, fetched where there is none.

    The commit that a revision stands for is found first, so that all files are of the same one.
    With ``HF_HUB_OFFLINE=1`` copies that are here are used and nobody is asked.

    Raises:
        HubError: an address of another form, no such folder or revision, or no connection.
    """
    if not str(path).startswith(SCHEME):
        return Fetched(place_of(path), {})
    given = _ADDRESS.fullmatch(str(path).removeprefix(SCHEME))
    if given is None:
        raise HubError(
            f"got {str(path)[:80]!r}, wanted {SCHEME}user/name or {SCHEME}user/name@revision"
        )
    name, revision = given["name"], given["revision"]
    hub = _library()
    try:
        folder = hub.snapshot_download(
            name,
            revision=revision,
            allow_patterns=[*_FILES, *(f"model/{file}" for file in _FILES)],
            local_files_only=os.environ.get("HF_HUB_OFFLINE", "").upper() in _TRUE,
            **_caller(),
        )
    except (OSError, ValueError) as error:
        raise HubError(f"{path} is not to be had: {_first_line(error)}") from error
    commit = Path(folder).name
    return Fetched(Path(folder), {"repository": name, "revision": commit})


def address(name: str | os.PathLike[str], revision: str | None = None) -> str:
    """Return what ``load`` takes: a folder that is here, or the address of one at the hub."""
    text = os.fspath(name)
    if revision is None and place_of(text).is_dir():
        return text
    plain = text.removeprefix(SCHEME)
    return f"{SCHEME}{plain}" if revision is None else f"{SCHEME}{plain}@{revision}"


def save_pretrained(  # noqa: D417 - a method of what is saved
    self: Saved,
    save_directory: str | os.PathLike[str],
    *,
    license: str | None = None,
    overwrite: bool = False,
) -> Path:
    """Write the folder of ``save``, its README.md with the metadata that the hub reads.

    Args:
        save_directory: the folder.
        license: as the hub names it, such as "apache-2.0"; None says nothing of it.
        overwrite: as in ``save``.

    Raises:
        HubError: a licence that is no such name.
        FileExistsError: as in ``save``.
    """
    if license is not None and not _LICENCE.fullmatch(license):
        raise HubError(f"got license {license[:80]!r}, wanted a name such as 'apache-2.0'")
    folder = self.save(save_directory, overwrite=overwrite)
    card = folder / "README.md"
    write_text(card, hub_metadata(license) + card.read_text(encoding="utf8"))
    return folder


def hub_metadata(license: str | None) -> str:
    """Return the metadata of a card, as YAML between two lines of dashes."""
    lines = ["---", "library_name: selftime", *([f"license: {license}"] if license else [])]
    return "\n".join([*lines, "tags:", *(f"- {tag}" for tag in _TAGS), "---", "", ""])


def push_to_hub(  # noqa: D417 - a method of what is saved
    self: Saved,
    repo_id: str,
    *,
    license: str | None = None,
    private: bool | None = None,
    revision: str | None = None,
    commit_message: str = "Upload by selftime",
) -> str:
    """Upload the folder of :meth:`save_pretrained`; return its address, the new commit pinned.

    Who uploads is told by ``HF_TOKEN`` or ``hf auth login``, where it goes by ``HF_ENDPOINT``.

    Args:
        repo_id: "user/name"; made where there is none.
        license: as in :meth:`save_pretrained`.
        private: whether a new one is; None leaves it to the account.
        revision: branch to upload to; None is the main one.
        commit_message: says what is new.

    Raises:
        HubError: no package for it, no permission, or no connection.
    """
    given = _ADDRESS.fullmatch(repo_id.removeprefix(SCHEME))
    if given is None or given["revision"]:
        raise HubError(f"got {repo_id[:80]!r}, wanted 'user/name'")
    hub, name = _library(), given["name"]
    with TemporaryDirectory() as room:
        folder = save_pretrained(self, Path(room, "model"), license=license)
        try:
            api = hub.HfApi(**_caller())
            api.create_repo(name, private=private, exist_ok=True)
            made = api.upload_folder(
                repo_id=name, folder_path=folder, revision=revision, commit_message=commit_message
            )
        except (OSError, ValueError) as error:
            raise HubError(f"{name} was not uploaded: {_first_line(error)}") from error
    return f"{SCHEME}{name}@{made.oid}"


def _library() -> Any:
    try:
        import huggingface_hub
    except ImportError:
        raise HubError(
            "the hub is reached by an optional package: pip install 'selftime[hub]'"
        ) from None
    return huggingface_hub


def _caller() -> dict[str, str | None]:
    """Return where the hub is, and who asks."""
    return {
        "endpoint": os.environ.get("HF_ENDPOINT") or None,
        "library_name": "selftime",
        "library_version": version("selftime"),
    }


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
