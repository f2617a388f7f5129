"""What a zip file can be wrong in: a flipped byte may name a method, a password or a place that there is not."""

import lzma
import struct
import zipfile
import zlib

ZIP_FAULTS = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    OSError,  # of bz2 too
    OverflowError,
    RuntimeError,  # encrypted; NotImplementedError: a version or a method
    ValueError,  # a negative place; UnicodeDecodeError: a name
)
