"""Faults of `.npy` files: their size, their types, their shapes, their headers."""

from __future__ import annotations

import io
import struct
import warnings
from typing import Any

import numpy as np
from hostile_case import MIB, Hostile, binary, sparse

MAGIC = b"\x93NUMPY"


def npy_bytes(values: np.ndarray[Any, Any]) -> bytes:
    buffer = io.BytesIO()
    with warnings.catch_warnings(action="ignore"):  # numpy is not sure that version 3 is read everywhere
        np.save(buffer, values, allow_pickle=True)
    return buffer.getvalue()


def with_header(header: str | bytes, data: bytes = bytes(24), version: tuple[int, int] = (1, 0)) -> bytes:
    """A file with this text for its header, right or wrong."""
    raw = header if isinstance(header, bytes) else header.encode("latin1")
    return MAGIC + bytes(version) + struct.pack("<H" if version == (1, 0) else "<I", len(raw)) + raw + data


def describing(descr: str = "'<f4'", order: str = "False", shape: str = "(2, 3)") -> bytes:
    return with_header(f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}\n")


def npy(content: bytes, says: str) -> Hostile:
    return binary(content, says, ".npy")


WHOLE = npy_bytes(np.arange(6, dtype=np.float32).reshape(2, 3))  # a header of 128 bytes, 24 bytes of numbers
REST = WHOLE[10:]  # all behind magic, version and length
FOUND = {0: "0 bytes", 1: "1 byte", 20: "20 bytes", 23: "23 bytes", 25: "25 bytes", 4120: "4,120 bytes"}

TYPES = {
    "complex64": (np.zeros(3, np.complex64), "complex"),
    "complex128": (np.zeros(3, np.complex128), "complex"),
    "extended complex": (np.zeros(3, np.clongdouble), "complex"),
    "extended floats": (np.zeros(3, np.longdouble), "extended floats"),
    "bytes": (np.array([b"1.5"]), "text"),
    "text": (np.array(["1.5"]), "text"),
    "two bytes of text": (np.array([b"12"]), "text"),
    "dates": (np.zeros(3, "M8[s]"), "dates"),
    "durations": (np.zeros(3, "m8[ns]"), "durations"),
    "one raw byte": (np.zeros(3, "V1"), "raw bytes"),
    "three raw bytes": (np.zeros(3, "V3"), "raw bytes"),
    "records": (np.zeros(3, [("a", "<f4"), ("b", "<i8")]), "records"),
    "records of two bytes": (np.zeros(3, [("a", "i1"), ("b", "i1")]), "records"),
    "records with names of any script": (np.zeros(3, [("π", "<f4")]), "records"),
    "records in records": (np.zeros(3, [("a", [("b", "<f4")])]), "records"),
    "records of arrays": (np.zeros(3, [("a", "<f4", (2, 2))]), "records"),
    "Python objects": (np.array([1, None], object), "not a number"),
    "rows of different lengths": (np.array([[1], [1, 2]], object), "differ in length"),
}

DESCRIPTIONS = {
    "no type": ("''", "header cannot be"),
    "type of zero bytes": ("'|V0'", "raw bytes"),
    "text of zero bytes": ("'|S0'", "text, dtype"),
    "arrays of two bytes as type": ("'(2,)i1'", "raw bytes"),
    "unknown type": ("'<f3'", "header cannot be"),
    "type in words": ("'float of four bytes'", "header cannot be"),
    "type with code": ("'__import__(chr(111)+chr(115))'", "header cannot be"),
    "number as type": ("4", "header cannot be"),
    "nothing as type": ("None", "header cannot be"),
    "empty list as type": ("[]", "raw bytes"),
    "list as type": ("['<f4']", "header cannot be"),
    "endless list as type": ("[" + "('a', '<f4')," * 600 + "]", "header cannot be"),
    "nested list as type": ("[('a', " * 200 + "'<f4'" + ")]" * 200, "header cannot be"),
    "dictionary as type": ("{'names': ['a'], 'formats': ['<f4']}", "header cannot be"),
    "tuple as type": ("('<f4', (1 << 60,))", "header cannot be"),
    "records with one name twice": ("[('a', '<f4'), ('a', '<f4')]", "header cannot be"),
    "type of endless items": ("'<f" + "9" * 4000 + "'", "header cannot be"),
    "type of huge items": ("'|S2147483647'", "text, dtype"),
}

SHAPES = {
    "negative": ("(-2, -3)", "no array can have"),
    "one size negative": ("(2, -3)", "no array can have"),
    "minus one": ("(-1,)", "no array can have"),
    "a float": ("(2.0, 3)", "header cannot be"),
    "text": ("('2', 3)", "header cannot be"),
    "None": ("(None, 3)", "header cannot be"),
    "truth values": ("(True, True)", "no array can have"),
    "a list": ("[2, 3]", "header cannot be"),
    "a number": ("6", "header cannot be"),
    "None for all": ("None", "header cannot be"),
    "a tuple in it": ("((2,), 3)", "header cannot be"),
    "65 dimensions": ("(" + "1, " * 65 + ")", "no array can have"),
    "3000 dimensions": ("(" + "1, " * 3000 + ")", "no array can have"),
    "beyond memory": ("(9223372036854775807, 9223372036854775807)", "no array can have"),
    "beyond 64 bits": ("(18446744073709551616,)", "no array can have"),
    "product wraps to 6": ("(4611686018427387904, 4, 6)", "no array can have"),
    "nothing, but beyond 64 bits": ("(0, 18446744073709551616)", "no array can have"),
    "nothing, but a product beyond 64 bits": ("(0, 4611686018427387904, 4)", "no array can have"),
    "5000 digits": (f"({'9' * 5000},)", "header cannot be"),
    "8000 hexadecimal digits": (f"(0x{'f' * 8000},)", "no array can have"),
    "arithmetic": ("(2 ** 62,)", "header cannot be"),
    "a set": ("{2, 3}", "header cannot be"),
}

HEADERS: dict[str, str | bytes] = {
    "empty": "",
    "blanks": " " * 100,
    "random bytes": bytes(range(128, 256)),
    "NUL bytes": bytes(118),
    "number": "1\n",
    "list": "['<f4', False, (2, 3)]\n",
    "not closed": "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3",
    "quote not closed": "{'descr': '<f4",
    "without a type": "{'fortran_order': False, 'shape': (2, 3)}\n",
    "without an order": "{'descr': '<f4', 'shape': (2, 3)}\n",
    "without a shape": "{'descr': '<f4', 'fortran_order': False}\n",
    "with another key": "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), 'more': 1}\n",
    "keys that are no text": "{1: '<f4', 2: False, 3: (2, 3)}\n",
    "keys that do not compare": "{'descr': '<f4', 1: False, None: (2, 3)}\n",
    "unhashable keys": "{[]: 1}\n",
    "order as number": "{'descr': '<f4', 'fortran_order': 0, 'shape': (2, 3)}\n",
    "order as text": "{'descr': '<f4', 'fortran_order': 'False', 'shape': (2, 3)}\n",
    "call": "__import__('os').system('true')\n",
    "call in it": "{'descr': '<f4', 'fortran_order': False, 'shape': tuple([2, 3])}\n",
    "lambda": "(lambda: {})()\n",
    "comprehension": "{'descr': '<f4', 'fortran_order': False, 'shape': tuple(i for i in (2, 3))}\n",
    "walrus": "(descr := '<f4')\n",
    "indentation": "    {\n  {\n",
    "odd escape": "'\\d' '\\N{nothing}'\n",
    "call of a number": "1(2)\n",
    "parentheses": "(" * 5000 + ")" * 5000,
    "lists": "[" * 4999 + "]" * 4999,
    "minus signs": "-" * 9000 + "1",
    "not closed, many": "(" * 9999,
    "power": "9**9**9**9\n",
    "digits": "9" * 9999,
}


VERSIONS = [(0, 0), (0, 1), (1, 1), (2, 1), (4, 0), (255, 255)]

ARRAYS = {
    **{f"npy: cut to {size} bytes": npy(WHOLE[:size], "within its header") for size in (6, 7, 8, 9, 10, 64, 127)},
    **{f"npy: {size} bytes of numbers": npy(WHOLE[:128] + bytes(size), found) for size, found in FOUND.items()},
    **{f"npy type: {name}": npy(npy_bytes(values), says) for name, (values, says) in TYPES.items()},
    **{f"npy type: {name}": npy(describing(descr=descr), says) for name, (descr, says) in DESCRIPTIONS.items()},
    **{f"npy shape: {name}": npy(describing(shape=shape), says) for name, (shape, says) in SHAPES.items()},
    **{f"npy header: {name}": npy(with_header(header), "header cannot be") for name, header in HEADERS.items()},
    **{f"npy version: {version}": npy(MAGIC + bytes(version) + WHOLE[8:], "unknown version") for version in VERSIONS},
    "npy: two arrays in one file": npy(WHOLE + WHOLE[:-1], "cut off"),
    "npy: no numbers, but bytes": npy(npy_bytes(np.zeros((0, 3))) + b"x", "1 byte"),
    "npy: one number, no bytes": npy(npy_bytes(np.array(1.0))[:128], "8 bytes"),
    "npy: sparse and too long": sparse(WHOLE, 1 << 40, "goes on", ".npy"),
    "npy shape: a gigabyte that is not there": npy(describing(shape="(268435456,)"), "1,073,741,824 bytes"),
    "npy shape: an exabyte that is not there": npy(
        describing(shape="(250000000000000000,)"), "1,000,000,000,000,000,000"
    ),
    "npy header: length 0": npy(MAGIC + b"\1\0" + b"\0\0" + REST, "header cannot be"),
    "npy header: length 1": npy(MAGIC + b"\1\0" + b"\1\0" + REST, "header cannot be"),
    "npy header: length 65535": npy(MAGIC + b"\1\0" + b"\xff\xff" + REST, "65,535 bytes"),
    "npy header: length 2^32 - 1": npy(MAGIC + b"\2\0" + b"\xff" * 4 + REST, "4,294,967,295 bytes"),
    "npy header: length beyond the file": npy(MAGIC + b"\1\0" + b"\x00\x20" + REST, "within its header"),
    "npy header: read as version 2": npy(MAGIC + b"\2\0" + WHOLE[8:], "header is too long"),
    "npy header: a megabyte of blanks": npy(with_header(" " * MIB, version=(2, 0)), "1,048,576 bytes"),
    "npy header: not UTF-8 in version 3": npy(with_header(b"{'descr': '\xff'}", version=(3, 0)), "header cannot be"),
    "npy header: numbers of Python 2, wrong": npy(describing(shape="(2L, 3L", order="0L"), "header cannot be"),
}
