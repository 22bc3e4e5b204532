"""Entries on disk: named arrays and JSON, whole or absent, verified when read.

An entry is the files directly in one folder: manifest.json and array files; sub-folders are other entries, so
that deleting a run deletes its checkpoints and analyses:

    runs/<run>/manifest.json
    runs/<run>/label/manifest.json
    runs/<run>/checkpoints/00005/manifest.json  main-<sha>.safetensors
    runs/<run>/analyses/<key>/manifest.json     main-<sha>.safetensors  spectra-<sha>.safetensors

Array files carry their hash in their name and are never rewritten; replacing the manifest is the one step
that makes a new version valid. So a reader sees the whole old entry or the whole new one, without locks.
"""

import hashlib
import json
import os
import re
import secrets
import shutil
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
from numpy import ndarray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from cache.foreign import parsing, typed

MANIFEST = "manifest.json"
# Files of an older version outlive it this long, for readers that hold its manifest.
GRACE_SECONDS = 600.0
_NAME = re.compile(r"[a-z0-9_-]{1,100}")


class Damaged(Exception):
    """Why an entry cannot be trusted; never leaves this module."""


def default_root() -> Path:
    """The folder of environment variable GAMMASCOPE_CACHE, or cache/contents of this repository, or, where that cannot
    be written, the user's folder for data."""
    named = os.environ.get("GAMMASCOPE_CACHE")
    return typed(named) if named else _usual_root(Path(__file__).resolve().parent / "contents")


@cache
def _usual_root(contents: Path) -> Path:
    if os.access(contents if contents.exists() else contents.parent, os.W_OK):
        return contents
    root = platformdirs.user_data_path("gammascope", appauthor=False)
    print(f"{contents} cannot be written: runs and data sets are kept in {root}.", file=sys.stderr)
    return root


def replace_file(path: Path, content: bytes, durable: bool = False) -> None:
    """Write a file that other processes see whole, old or new; its folder must exist. durable: also after the power was
    lost, from the moment this returns."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with open(temporary, "wb") as file:
            file.write(content)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        os.replace(temporary, path)
        if durable and os.name == "posix":  # the new name is the folder's
            folder = os.open(path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
    except OSError as error:
        error.filename = error.filename or str(path)  # a full disk does not say whose
        raise
    finally:
        temporary.unlink(missing_ok=True)


def discard(folder: Path, root: Path) -> bool:
    """Remove a folder below `root` with all in it; whether there was one. Of several that ask one hears yes.

    Renamed first: a reader sees it whole or not at all, and who still writes into it cannot keep it alive."""
    try:
        os.replace(folder, root / f".trash-{secrets.token_hex(8)}")
    except FileNotFoundError:
        return False
    for path in root.glob(".trash-*"):
        shutil.rmtree(path, ignore_errors=True)
    return True


def _canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


@dataclass(frozen=True)
class ArrayFile:
    """One array file of an entry: its name in the entry, SHA-256 and size in bytes."""

    name: str
    sha256: str
    size: int

    @property
    def filename(self) -> str:
        return f"{self.name}-{self.sha256[:16]}.safetensors"


@dataclass(frozen=True)
class Entry:
    """An entry whose manifest was verified; its arrays are verified when they are asked for."""

    store: "Store"
    parts: tuple[str, ...]
    meta: Mapping[str, Any]
    files: tuple[ArrayFile, ...]
    manifest: bytes

    def arrays(self, name: str = "main") -> dict[str, ndarray] | None:
        """The arrays of one file; None if it was damaged (the entry is then set aside) or deleted meanwhile.
        ValueError if the entry has no file of that name."""
        for file in self.files:
            if file.name == name:
                return self.store._load(self, file)
        raise ValueError(
            f"Entry {'/'.join(self.parts)} has no arrays {name!r}; "
            f"it has {', '.join(f.name for f in self.files) or 'none'}."
        )

    def has(self, name: str) -> bool:
        """Whether the entry has arrays of that name."""
        return any(file.name == name for file in self.files)


@dataclass(frozen=True)
class Store:
    """A folder of entries. Entries are addressed by parts such as "runs", run, "analyses", key, each of
    1 to 100 characters a-z, 0-9, _ and -; anything else raises ValueError, so nothing escapes the root."""

    root: Path

    def __init__(self, root: Path | None = None) -> None:
        object.__setattr__(self, "root", Path(root).resolve() if root is not None else default_root().resolve())

    # -- writing --------------------------------------------------------------------------------------

    def write(
        self,
        parts: tuple[str, ...],
        meta: Mapping[str, Any],
        arrays: Mapping[str, Mapping[str, ndarray]] | None = None,
    ) -> None:
        """Write or replace an entry: JSON values and, per file name, arrays by name.

        OSError (disk full, no permission) leaves what was there before."""
        folder = self._folder(parts)
        folder.mkdir(parents=True, exist_ok=True)
        files = []
        for name, group in (arrays or {}).items():
            _check_name(name)
            try:
                content = save({k: np.asarray(a, order="C") for k, a in group.items()})
            except (KeyError, SafetensorError) as error:
                raise ValueError(
                    f"Arrays {name!r} of {'/'.join(parts)} hold a type that cannot be kept ({error})."
                ) from error
            file = ArrayFile(name, hashlib.sha256(content).hexdigest(), len(content))
            replace_file(folder / file.filename, content, durable=True)
            files.append(file)
        body = {
            "meta": json.loads(json.dumps(dict(meta))),
            "files": {f.name: {"sha256": f.sha256, "size": f.size} for f in files},
        }
        digest = hashlib.sha256(_canonical(body)).hexdigest()
        manifest = json.dumps(body | {"digest": digest}, indent=1, sort_keys=True).encode()
        replace_file(folder / MANIFEST, manifest, durable=True)
        self._sweep(folder, keep={MANIFEST, *(f.filename for f in files)})

    def delete(self, *parts: str) -> bool:
        """Remove an entry and all below it; whether there was one. Of several that delete it one hears yes."""
        return discard(self._folder(parts), self.root)

    def sweep(self, *parts: str) -> None:
        """Remove files of older versions of an entry that no reader can still hold; the next write would too."""
        entry = self.read(*parts)
        if entry is not None:
            self._sweep(self._folder(parts), keep={MANIFEST, *(file.filename for file in entry.files)})

    # -- reading --------------------------------------------------------------------------------------

    def read(self, *parts: str) -> Entry | None:
        """The entry, or None if there is none or it was damaged; a damaged one is moved to damaged/, where that can be
        written."""
        folder = self._folder(parts)
        for _ in range(3):
            try:
                manifest = (folder / MANIFEST).read_bytes()
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
                return None
            try:
                return self._parse(parts, manifest)
            except Damaged as damage:
                if self._set_aside(parts, manifest, str(damage)):
                    return None
        return None

    def list(self, *parts: str) -> tuple[str, ...]:
        """Names of the entries directly below, sorted."""
        try:
            names = [child.name for child in self._folder(parts).iterdir() if (child / MANIFEST).is_file()]
        except (FileNotFoundError, NotADirectoryError):
            return ()
        return tuple(sorted(name for name in names if _NAME.fullmatch(name)))

    def version(self, *parts: str) -> str:
        """A token that changes whenever this entry or one below it is written, replaced or removed: a cheap
        cache key (no file is read)."""
        folder = self._folder(parts)
        stamps = []
        for base, folders, files in os.walk(folder):
            folders.sort()
            if MANIFEST in files:
                try:
                    stat = os.stat(os.path.join(base, MANIFEST))
                except FileNotFoundError:
                    continue
                # The inode too: two versions may fall into one tick of the file system's clock.
                stamps.append((os.path.relpath(base, folder), stat.st_mtime_ns, stat.st_ino, stat.st_size))
        return hashlib.sha256(repr(stamps).encode()).hexdigest()[:16]

    def size(self, *parts: str) -> int:
        """Bytes on disk of this entry and all below it."""
        total = 0
        for base, _, files in os.walk(self._folder(parts) if parts else self.root):
            for name in files:
                try:
                    total += os.stat(os.path.join(base, name)).st_size
                except FileNotFoundError:
                    continue
        return total

    def damage_log(self) -> tuple[str, ...]:
        """One sentence for each entry that was set aside, oldest first."""
        try:
            return tuple((self.root / "damaged" / "log.txt").read_text(encoding="utf-8").splitlines())
        except FileNotFoundError:
            return ()

    # -- inside ---------------------------------------------------------------------------------------

    def _folder(self, parts: tuple[str, ...]) -> Path:
        if not parts:
            raise ValueError('An entry needs at least one part, such as "runs".')
        for part in parts:
            _check_name(part)
        return self.root.joinpath(*parts)

    def _parse(self, parts: tuple[str, ...], manifest: bytes) -> Entry:
        try:
            with parsing("the manifest is unreadable"):
                body = json.loads(manifest)
                digest = body.pop("digest")
                files = tuple(ArrayFile(name, f["sha256"], f["size"]) for name, f in body["files"].items())
                meta = body["meta"]
                if digest != hashlib.sha256(_canonical(body)).hexdigest():
                    raise ValueError("its digest does not match")
                for file in files:
                    _check_name(file.name)
        except ValueError as error:
            raise Damaged(str(error).rstrip(".")) from error
        for file in files:
            path = self._folder(parts) / file.filename
            size = path.stat().st_size if path.is_file() else None
            if size is None:
                raise Damaged(f"{file.filename} is missing")
            if size != file.size:
                raise Damaged(f"{file.filename} has {size} bytes instead of {file.size}")
        return Entry(self, parts, meta, files, manifest)

    def _load(self, entry: Entry, file: ArrayFile) -> dict[str, ndarray] | None:
        try:
            content = (self._folder(entry.parts) / file.filename).read_bytes()
            if hashlib.sha256(content).hexdigest() != file.sha256:
                raise Damaged(f"{file.filename} does not match its SHA-256")
            with parsing(f"{file.filename} is unreadable"):
                return load(content)
        except FileNotFoundError:
            reason = f"{file.filename} is missing"
        except (Damaged, ValueError) as error:
            reason = str(error)
        self._set_aside(entry.parts, entry.manifest, reason)
        return None

    def _set_aside(self, parts: tuple[str, ...], manifest: bytes, reason: str) -> bool:
        """Move the entry's own files away; False if it was replaced or deleted since `manifest` was read."""
        folder = self._folder(parts)
        try:
            if (folder / MANIFEST).read_bytes() != manifest:
                return False
            stamp = time.strftime("%Y%m%d-%H%M%S")
            target = self.root / "damaged" / f"{stamp}-{'.'.join(parts)[-150:]}-{secrets.token_hex(3)}"
            target.mkdir(parents=True)
            os.replace(folder / MANIFEST, target / MANIFEST)
            for path in list(folder.iterdir()):
                # Dotted names are files that another writer has not finished.
                if path.is_file() and not path.name.startswith("."):
                    os.replace(path, target / path.name)
        except FileNotFoundError:
            # Another reader is setting it aside, or it was deleted: either way it is gone from here.
            return not (folder / MANIFEST).exists()
        except OSError:
            return True  # a cache that can only be read, or a full disk: it is passed over where it lies
        when = time.strftime("%Y-%m-%d %H:%M:%S")
        sentence = f"{when} {'/'.join(parts)} was set aside: {reason}. It will be recomputed."
        with open(self.root / "damaged" / "log.txt", "a", encoding="utf-8") as log:
            log.write(" ".join(sentence.split()) + "\n")
        return True

    def _sweep(self, folder: Path, keep: set[str]) -> None:
        old = time.time() - GRACE_SECONDS
        for path in list(folder.iterdir()):
            try:
                if path.name not in keep and path.is_file() and path.stat().st_mtime < old:
                    path.unlink()
            except OSError:
                # Another writer swept it first, or a reader holds it: the next write tries again.
                continue


def _check_name(name: Any) -> None:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} cannot name an entry. Names have 1 to 100 characters: a to z, 0 to 9, _ and -.")
