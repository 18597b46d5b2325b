"""A whole run copied to any filesystem that pyarrow opens (s3://, gs://, hdfs://, file:// …), its manifest last.

The ledger needs a local disk, and so does a run that goes on after a kill. So a run with a URI for `--out` is made in
a scratch folder, and what it leaves is streamed to the URI once it is whole; a copy that was cut short is made again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from storygen.errors import FolderError, UsageError

CHUNK = 8 << 20  # bytes read at a time
OBJECT_STORES = {"s3", "gcs", "abfs"}  # a file is there once it is whole; to move one would be to copy it again


@dataclass(frozen=True, slots=True)
class Target:
    """A folder of a `pyarrow.fs.FileSystem`, and what to call it."""

    filesystem: Any
    path: str
    name: str

    def at(self, name: str) -> str:
        return f"{self.path.rstrip('/')}/{name}"


def is_uri(out: str) -> bool:
    return "://" in out


def open_target(uri: str) -> Target | None:
    """The folder that a URI names, made if it is not there; None for no URI.

    Raises UsageError when pyarrow is missing, does not know the scheme, or cannot reach what is named.
    """
    if not uri:
        return None
    try:
        from pyarrow.fs import FileSystem
    except ImportError as error:
        raise UsageError(f"--out {uri} needs pyarrow.", "pip install 'storygen[parquet]'") from error
    try:
        filesystem, path = FileSystem.from_uri(uri)
        filesystem.create_dir(path, recursive=True)
    except (ValueError, OSError) as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UsageError(f"--out {uri} cannot be opened: {first}", "Check the URI and your access to it.") from error
    return Target(filesystem, path, uri)


def publish(run: Path, target: Target | None) -> str:
    """Copy a whole run; returns the target's name, or an empty string where the run is there already (or no target).

    Each file is written aside and moved into place, where that is not a copy; files of an earlier run that are none
    of this one's are removed. Until the manifest is there, a reader knows that the copy is not whole.

    Raises FolderError when a file is not what the manifest says, or did not arrive whole.
    """
    if target is None:
        return ""
    manifest = (run / "manifest.json").read_bytes()
    files: Mapping[str, Mapping[str, Any]] = json.loads(manifest)["files"]
    if _read(target, "manifest.json") == manifest:
        return ""
    _remove(target, {"manifest.json"})
    for name, facts in sorted(files.items()):
        _copy(run / name, target, name, facts)
    _remove(target, _present(target) - files.keys())
    _copy(run / "manifest.json", target, "manifest.json", {"sha256": hashlib.sha256(manifest).hexdigest()})
    return target.name


def _copy(source: Path, target: Target, name: str, facts: Mapping[str, Any]) -> None:
    final = target.at(name)
    aside = final if _kind(target.filesystem) in OBJECT_STORES else final + ".partial"
    target.filesystem.create_dir(final.rpartition("/")[0], recursive=True)
    digest, size = hashlib.sha256(), 0
    with source.open("rb") as file, target.filesystem.open_output_stream(aside) as out:
        while part := file.read(CHUNK):
            out.write(part)
            digest.update(part)
            size += len(part)
    if digest.hexdigest() != facts["sha256"]:
        raise FolderError(
            f"{source} is not what manifest.json says.", "Remove manifest.json and run the same command again."
        )
    if target.filesystem.get_file_info(aside).size != size:
        raise FolderError(f"{name} did not arrive whole at {target.name}.", "Run the same command again.")
    if aside != final:
        target.filesystem.move(aside, final)


def _read(target: Target, name: str) -> bytes | None:
    if not target.filesystem.get_file_info(target.at(name)).is_file:
        return None
    with target.filesystem.open_input_stream(target.at(name)) as file:
        return bytes(file.read())


def _present(target: Target) -> set[str]:
    """Names of what is under `data/`."""
    from pyarrow.fs import FileSelector

    selector = FileSelector(target.at("data"), allow_not_found=True, recursive=True)
    found = target.filesystem.get_file_info(selector)
    return {"data" + info.path.rpartition(target.at("data"))[2] for info in found if info.is_file}


def _remove(target: Target, names: set[str]) -> None:
    for name in sorted(names):
        if target.filesystem.get_file_info(target.at(name)).is_file:
            target.filesystem.delete_file(target.at(name))


def _kind(filesystem: Any) -> str:
    while filesystem.type_name == "subtree":
        filesystem = filesystem.base_fs
    return str(filesystem.type_name)
