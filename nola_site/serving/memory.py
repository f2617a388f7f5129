"""Memory that requests took, handed back to the system: Python, SQLite and the C library would keep it for the next."""

import ctypes
import gc
import os
import threading
from pathlib import Path

from django.db import connection

LARGE = 16 * 1024 * 1024  # bytes that a process may have grown by before it is worth the time
SHORT = 0.01  # seconds in which no request takes as much: then we do not even look
STATM = Path("/proc/self/statm")
HEAPS, BLOCK, TOP = -8, -3, -1  # M_ARENA_MAX, M_MMAP_THRESHOLD and M_TRIM_THRESHOLD of mallopt(3)

_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc alone has both
_set = getattr(ctypes.CDLL(None), "mallopt", None)
_handing_back = threading.Lock()
_least = 0  # bytes that were resident when it was last handed back


def keep_little() -> None:
    """Have one heap, not one for each thread, and very large blocks outside of it. Called before there are threads."""
    if _set is not None:
        _set(HEAPS, 1)
        _set(BLOCK, 8 * 1024 * 1024)
        _set(TOP, 8 * 1024 * 1024)


def read_resident() -> int:
    """The bytes of memory that this process holds; 0 where the system does not tell."""
    try:
        return int(STATM.read_bytes().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def hand_back(seconds: float = SHORT) -> None:
    """Give back what is free, if the process has grown much since the last time. Called when a request is done.

    It took so many seconds.
    """
    global _least
    if seconds < SHORT:
        return
    resident = read_resident()
    _least = min(_least, resident)
    if resident < _least + LARGE or not _handing_back.acquire(blocking=False):
        return
    try:
        connection.close()  # its statements keep what was last bound to them
        gc.collect()  # a request that is done is a circle, and has its body
        if _trim is not None:
            _trim(0)
        _least = read_resident()
    finally:
        _handing_back.release()
