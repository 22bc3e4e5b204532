"""A user's own .npz files: kept in the cache under the hash of their content, never under their names."""

import hashlib
from pathlib import Path

from cache.store import replace_file
from pages.parts import results

MEGABYTES = 100


def _folder() -> Path:
    return results.store().root / "uploads"


def keep(content: bytes, label: str) -> str:
    """Keep a file; its path, by which a data request names it. What is in it the engine's reader says later."""
    folder = _folder()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"own-{hashlib.sha256(content).hexdigest()[:12]}.npz"
    if not path.exists():
        replace_file(path, content)
    replace_file(path.with_suffix(".name"), Path(label.replace("\\", "/")).name[-80:].encode())
    return str(path)


def known() -> dict[str, str]:
    """The files kept, path → the name its user gave it, by that name."""
    found = {}
    for path in sorted(_folder().glob("own-*.npz")):
        try:
            found[str(path)] = path.with_suffix(".name").read_text(encoding="utf-8")
        except (OSError, ValueError):
            found[str(path)] = path.stem
    return dict(sorted(found.items(), key=lambda item: item[1].lower()))
