"""Durations, bytes and cores as people read them, and this computer by name."""

import os
import platform


def host() -> str:
    """This computer: its processor and the cores that may be used."""
    name = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as lines:
            name = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    return f"{name}, {counted(cores(), 'core')}"


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def workers() -> int:
    """As many processes as this computer is shared among unasked: one for two cores."""
    return max(1, cores() // 2)


def counted(count: int, one: str, many: str = "") -> str:
    """So many of something: 1 run, 3 runs."""
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"


def duration(seconds: float) -> str:
    """Seconds as a person says them: 8 s, 3 min 20 s, 2 h 5 min."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s" if whole % 60 else f"{whole // 60} min"
    return f"{whole // 3600} h {whole % 3600 // 60} min" if whole % 3600 >= 60 else f"{whole // 3600} h"


def words(size: int) -> str:
    """Bytes for a sentence: 11 MB, 1.2 GB."""
    for unit, scale in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        # From here on three digits would round up to the next unit.
        if size >= 0.9995 * scale:
            return f"{size / scale:.3g} {unit}"
    return f"{size} bytes"


def rounded(seconds: float) -> float:
    """As an estimate deserves: whole seconds, minutes or half hours. At least one second."""
    step = 1 if seconds < 60 else 60 if seconds < 5400 else 1800
    return max(1.0, float(step * round(seconds / step)))
