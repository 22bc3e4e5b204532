"""What was asked for and cannot be is said in one sentence."""

import errno
import os

_FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))
_LOCKED = (errno.EROFS, errno.EACCES, errno.EPERM)


def require(condition: bool, sentence: str) -> None:
    """Raise ValueError(sentence) unless the condition holds."""
    if not condition:
        raise ValueError(sentence)


def of_disk(error: OSError) -> str:
    """An error of the operating system in a sentence: the file, what was wrong, and what to do about it."""
    path = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else ""
    where = f" for {path}" if path else ""
    if error.errno in _FULL:
        return (
            f"The disk has no room left{where}. What was finished is kept. Free some, delete runs on the page Runs, or "
            "move all of it to another disk: environment variable GAMMASCOPE_CACHE."
        )
    if error.errno in _LOCKED and path:
        return (
            f"{path} may not be written or read ({error.strerror}). Change its permissions, or choose another folder: "
            "environment variable GAMMASCOPE_CACHE."
        )
    return str(error) or type(error).__name__
