"""Memory that a large request took, handed back to the system: the C library would keep it for the next one."""

import ctypes
import os
import threading
from pathlib import Path

LARGE = 64 * 1024 * 1024  # bytes that a process may have grown by before it is worth the time
SHORT = 0.01  # seconds in which no request takes as much: then we do not even look
STATM = Path("/proc/self/statm")

_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc alone has it
_trimming = threading.Lock()
_least = 0  # bytes that were resident when it was last handed back


def read_resident() -> int:
    """The bytes of memory that this process holds; 0 where the system does not tell."""
    try:
        return int(STATM.read_bytes().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def hand_back(seconds: float) -> None:
    """Give back what is free, if the process has grown much since the last time. Called when a request is done.

    It took so many seconds; nobody fills much memory in no time.
    """
    global _least
    if seconds < SHORT or _trim is None or read_resident() < _least + LARGE or not _trimming.acquire(blocking=False):
        return
    try:
        _trim(0)
        _least = read_resident()
    finally:
        _trimming.release()
