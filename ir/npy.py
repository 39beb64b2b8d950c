"""NumPy's files (`.npy`, and the entries of `.npz`): what the header declares, before any is read.

A header is a few bytes and may declare any size. Whoever reads one knows how many bytes follow,
and refuses what does not fit.
"""

import io
from dataclasses import dataclass
from math import prod
from typing import IO

import numpy as np
from numpy.typing import NDArray

MOST_HEADER = 1 << 16  # bytes: NumPy itself reads 10,000


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    shape: tuple[int, ...]
    fortran: bool
    dtype: np.dtype[np.generic]
    length: int  # bytes before the values

    @property
    def nbytes(self) -> int:
        """Of the values."""
        return prod(self.shape) * self.dtype.itemsize


def read_header(file: IO[bytes], size: int) -> Header:
    """The header of an array that takes `size` bytes, header and all; `file` stands behind it.

    Raises `ValueError` where that is not so, and whatever NumPy raises on a damaged header.
    """
    start = file.read(12)
    version = np.lib.format.read_magic(io.BytesIO(start))
    reader = {  # version 3 is for structured arrays only
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }.get(version)
    if reader is None:
        raise ValueError(f"version {version[0]}.{version[1]} is not read")
    width = 2 if version == (1, 0) else 4
    length = 8 + width + int.from_bytes(start[8 : 8 + width], "little")
    if length > min(MOST_HEADER, size):
        raise ValueError(f"its header is said to have {length:,} bytes")
    rest = io.BytesIO(start[8:] + file.read(length - len(start)))
    shape, fortran, dtype = reader(rest)
    if any(isinstance(n, bool) or n < 0 for n in shape):
        raise ValueError(f"its shape is {list(shape)}")
    header = Header(shape=shape, fortran=fortran, dtype=dtype, length=length)
    if not dtype.hasobject and length + header.nbytes != size:
        raise ValueError(
            f"it declares {header.nbytes:,} bytes of values, but has {size - length:,}"
        )
    return header


def read_values(file: IO[bytes], header: Header) -> NDArray[np.generic]:
    """The array whose header was just read. Raises `ValueError` where there are fewer values."""
    content = file.read(header.nbytes)
    if len(content) != header.nbytes:
        raise ValueError(f"it ends after {len(content):,} of {header.nbytes:,} bytes of values")
    array: NDArray[np.generic] = np.frombuffer(content, header.dtype)
    return array.reshape(header.shape, order="F" if header.fortran else "C")
