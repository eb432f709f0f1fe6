"""What is done to a file before it is given to a reader: damage, and lies that fit."""

from __future__ import annotations

import copy
import gzip
import hashlib
import io
import json
import lzma
import zipfile
import zlib
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import zstandard

if TYPE_CHECKING:
    import random
    from collections.abc import Callable
    from pathlib import Path

    Mutation = Callable[[bytes, "random.Random", bytes], bytes]

LARGEST = 1 << 16  # bytes of a mutated file; what is large by itself has tests of its own
EXTREMES = [0, 1, 2, 127, 128, 255, 256, 32767, 32768, 65535, 1 << 20, (1 << 31) - 1, 1 << 31, (1 << 32) - 1, 1 << 40,
            (1 << 63) - 1, 1 << 63, (1 << 64) - 1]  # fmt: skip
WORDS = [
    b"1e999", b"-1e999", b"1e-999", b"nan", b"NaN", b"Infinity", b"-inf", b"-0", b"0x1f", b"1_0", b"9" * 400, b"." * 9,
    b"", b'"', b"'", b"\\", b"#", b",", b",,", b";", b"\t", b"\n", b"\r", b"\r\n", b"\0", b" " * 300, b"[" * 3000,
    b"{" * 300, b'{"a":' * 1500, b"]", b"}", b"[]", b"{}", b"[[]]", b"null", b"true", b"-1", b"18446744073709551616",
    b'""', b'"logits"', b'"label"', b"label", b"\xff", b"\xef\xbb\xbf", b"\xed\xa0\x80",
    "\u2212\u202e\u0661".encode(), b"\x1b[2J", b"%s", b"../..", b"(0,)", b"(2**62, 3)", b"'|O'", b"'<f8'", b"F64",
    b"..", b"/dev/zero", b"sep=", b"@", b"*",
]  # fmt: skip
OTHERS: list[Any] = [
    None, True, False, 0, -1, 1, 2**63, -(2**63) - 1, 10**400, 0.0, -0.0, 1.5, 1e308, "nan", "inf", "-inf", "", "0",
    "x" * 200, "0x0", "-0x1", "0x" + "f" * 500, "0x1/0x0", "0x1/0x3", "-0x1f/0x20", "within", "mean", [], [0], [[]], {},
    {"": 0}, [None],
]  # fmt: skip


def _place(data: bytes, rng: random.Random, size: int = 1) -> int:
    return rng.randrange(max(1, len(data) - size + 1))


def _with(data: bytes, place: int, new: bytes, over: int) -> bytes:
    return data[:place] + new + data[place + over :]


def flipped(data: bytes, rng: random.Random, _other: bytes) -> bytes:
    """Some bits the other way round."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 8))):
        if changed:
            changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def replaced(data: bytes, rng: random.Random, _other: bytes) -> bytes:
    """Some bytes as they come."""
    new = rng.randbytes(rng.choice((1, 2, 4, 16)))
    return _with(data, _place(data, rng), new, len(new))


def cut(data: bytes, rng: random.Random, _other: bytes) -> bytes:
    """The start alone."""
    return data[: _place(data, rng)]


def without(data: bytes, rng: random.Random, _other: bytes) -> bytes:
    """A part left out."""
    return _with(data, _place(data, rng), b"", rng.choice((1, 2, 8, 64)))


def spliced(data: bytes, rng: random.Random, other: bytes) -> bytes:
    """The start of one and the end, or a part, of another."""
    place, start = _place(data, rng), _place(other, rng)
    part = other[start : start + rng.choice((8, 64, 1 << 20))]
    return data[:place] + part + data[place + len(part) :] if rng.random() < 0.5 else data[:place] + part


def lengthened(data: bytes, rng: random.Random, _other: bytes) -> bytes:
    """A field of 1 to 8 bytes with an extreme number, as lengths and counts are."""
    size = rng.choice((1, 2, 4, 8))
    number = (rng.choice(EXTREMES) + rng.randrange(-2, 3)) % (1 << 8 * size)
    return _with(data, _place(data, rng, size), number.to_bytes(size, rng.choice(("little", "big"))), size)


def nearly(data: bytes, rng: random.Random, _other: bytes) -> bytes:
    """A field of 1 to 8 bytes a little more or less, or many times as much."""
    size = rng.choice((1, 2, 4, 8))
    place, order = _place(data, rng, size), rng.choice(("little", "big"))
    number = int.from_bytes(data[place : place + size], order)
    number = rng.choice((number + 1, number - 1, number * 2, number * 256, number + 16, -number))
    return _with(data, place, (number % (1 << 8 * size)).to_bytes(size, order), size)


def repeated(data: bytes, rng: random.Random, _other: bytes) -> bytes:
    """A part many times over."""
    place = _place(data, rng)
    part = data[place : place + rng.choice((1, 4, 16, 64))]
    return _with(data, place, part * rng.choice((2, 3, 17, 257)), len(part))


def moved(data: bytes, rng: random.Random, _other: bytes) -> bytes:
    """A part copied to another place of the same file."""
    place, size = _place(data, rng), rng.choice((4, 8, 32))
    return _with(data, _place(data, rng), data[place : place + size], size)


def worded(data: bytes, rng: random.Random, _other: bytes) -> bytes:
    """A word that parsers trip over."""
    return _with(data, _place(data, rng), rng.choice(WORDS), rng.choice((0, 0, 1, 3, 8)))


MUTATIONS: list[Mutation] = [
    flipped, flipped, replaced, cut, without, spliced, lengthened, lengthened, nearly, repeated, moved, worded,
]  # fmt: skip


def mutated(data: bytes, rng: random.Random, other: bytes) -> bytes:
    """One or some mutations, one after the other."""
    for _ in range(rng.choice((1, 1, 1, 2, 3, 6))):
        data = rng.choice(MUTATIONS)(data, rng, other)[:LARGEST]
    return data


def zipped(data: bytes, rng: random.Random, other: bytes) -> bytes:
    """An archive whose checksums are right, and one of whose members is not."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        held = {info.filename: (archive.read(info), info.compress_type) for info in archive.infolist()}
    chosen, made = rng.choice(list(held)), io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, (content, packing) in held.items():
            for _ in range(rng.choice((1, 1, 1, 1, 2))):
                changed = mutated(content, rng, other) if name == chosen else content
                with suppress(UserWarning):  # of two members of one name
                    archive.writestr(name, changed, packing if rng.random() < 0.9 else rng.choice((0, 8, 12, 14)))
    return made.getvalue()


def repacked(data: bytes, rng: random.Random, other: bytes) -> bytes:
    """Packed without a fault, of what has one."""
    inner = zlib.decompress(data, 47) if data[:2] == b"\x1f\x8b" else b"1,2\n3,4\n"
    pack = rng.choice((partial(gzip.compress, mtime=0), lzma.compress, zstandard.compress))
    return pack(mutated(inner, rng, other))


def reheaded(data: bytes, rng: random.Random, other: bytes) -> bytes:
    """A safetensors file whose header has a fault, and its right length."""
    size = int.from_bytes(data[:8], "little")
    header = mutated(data[8 : 8 + size], rng, other)
    return len(header).to_bytes(8, "little") + header + data[8 + size :]


def refitted(data: bytes, rng: random.Random, other: bytes) -> bytes:
    """A .npy file whose header has a fault, and its right length."""
    if data[:8] != b"\x93NUMPY\x01\x00":
        return mutated(data, rng, other)
    size = int.from_bytes(data[8:10], "little")
    header = mutated(data[10 : 10 + size], rng, other)[:9999]
    return data[:8] + len(header).to_bytes(2, "little") + header + data[10 + size :]


def forged_line(data: bytes, rng: random.Random, other: bytes) -> bytes:
    """The partial of a comparison, of which the first line alone is forged."""
    line, _, rows = data.partition(b"\n")
    return forged(line, rng, other) + b"\n" + rows


def forged_head(data: bytes, rng: random.Random, other: bytes) -> bytes:
    """The partial of a loss with rows, of which the first line alone is forged: it begins with its kind."""
    line, _, rows = data.partition(b"\n")
    content = json.loads(forged(line, rng, other))
    head = {"kind": content.pop("kind", "loss"), **content}
    return json.dumps(head, separators=(",", ":")).encode() + b"\n" + rows


def forged(data: bytes, rng: random.Random, _other: bytes) -> bytes:
    """A partial of which some members are others, with the checksum of what it then holds."""
    content = json.loads(data)
    for _ in range(rng.choice((1, 1, 2, 4))):
        _forge(content, rng)
    content.pop("checksum", None)
    checksum = hashlib.sha256(json.dumps(content, separators=(",", ":")).encode()).hexdigest()
    return json.dumps({"checksum": checksum, **content}).encode()


def _forge(content: Any, rng: random.Random) -> None:
    """Change one member, anywhere below."""
    while True:
        keys = list(content) if isinstance(content, dict) else list(range(len(content)))
        if not keys:
            return
        key = rng.choice(keys)
        inner = content[key]
        if isinstance(inner, dict | list) and inner and rng.random() < 0.9:
            content = inner
            continue
        _forge_member(content, key, rng)
        return


def _forge_member(content: Any, key: Any, rng: random.Random) -> None:
    value, chance = content[key], rng.random()
    if chance < 0.1:
        del content[key]
    elif chance < 0.2 and isinstance(content, dict):
        content[rng.choice(("more", "", "0", "within"))] = copy.deepcopy(rng.choice(OTHERS))
    elif chance < 0.5 and type(value) in {int, float} and abs(value) < 1e300:
        content[key] = rng.choice((-value, value + 1, value * 2, value * 10.0**30, -1 - value, 0.5 - value, 0))
    else:
        content[key] = copy.deepcopy(rng.choice(OTHERS))


# form -> what fits it better than damage alone, and how often that is done
FITTED: dict[str, tuple[Mutation, float]] = {
    "npy": (refitted, 0.5),
    "npz": (zipped, 0.6),
    "pt": (zipped, 0.7),
    "safetensors": (reheaded, 0.5),
    "packed": (repacked, 0.4),
    "partial": (forged, 0.9),
    "partial with rows": (forged_head, 0.8),
    "partial of a comparison": (forged_line, 0.8),
    "answer": (refitted, 0.5),
}


def hostile(form: str, held: list[bytes], rng: random.Random) -> bytes:
    """A file of this form with some fault."""
    data, other = rng.choice(held), rng.choice(held)
    mutation, share = FITTED.get(form, (mutated, 1.0))
    if rng.random() < share:
        return mutation(data, rng, other)
    return mutated(data, rng, other)


NAMES = {"settings": "pyproject.toml", "answer": "answer.npy"}


def make(form: str, held: list[bytes], folder: Path, rng: random.Random) -> Path:
    """The hostile file."""
    path = folder / NAMES.get(form, "input")
    path.write_bytes(hostile(form, held, rng))
    return path
