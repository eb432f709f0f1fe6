"""A `.npy` file gives the very bits that were saved, mapped, in any type, order and version."""

from __future__ import annotations

import math
import os
import warnings
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from piped import piped

from xentcli.numbers.tensors import as_tensor
from xentcli.sources.open import open_array
from xentcli.sources.typed import KINDS

if TYPE_CHECKING:
    from pathlib import Path

same_directory = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)

TYPES = ["f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"]
NAMES = {"f2": "float16", "f4": "float32", "f8": "float64", "i1": "int8", "i8": "int64", "u2": "uint16"}


@st.composite
def arrays(draw: st.DrawFn) -> np.ndarray:
    dtype = np.dtype(draw(st.sampled_from("<>")) + draw(st.sampled_from(TYPES)))
    shape = draw(hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4))
    bits = draw(st.binary(min_size=math.prod(shape) * dtype.itemsize, max_size=math.prod(shape) * dtype.itemsize))
    values = np.frombuffer(bits, dtype).reshape(shape)  # every bit pattern, signalling NaN too
    return np.asfortranarray(values) if draw(st.booleans()) and values.ndim else values


def bits(values: np.ndarray) -> bytes:
    return values.tobytes("C")


def save(path: Path, values: np.ndarray, version: tuple[int, int] | None = None) -> None:
    with warnings.catch_warnings(action="ignore"), path.open("wb") as file:  # numpy warns of versions 2 and 3
        np.lib.format.write_array(file, values, version)


@same_directory
@given(values=arrays(), version=st.sampled_from([None, (1, 0), (2, 0), (3, 0)]))
@example(values=np.float32(1.5).reshape(()), version=None)
@example(values=np.zeros((0, 3)), version=None)
def test_every_type_reads_back(tmp_path, values, version):
    """A byte order or an axis order misread gives another loss, and often a plausible one."""
    path = tmp_path / "a.npy"
    save(path, values, version)
    array = open_array(str(path))
    assert bits(array.values) == bits(values)
    assert array.values.dtype == values.dtype
    assert array.shape == values.shape
    assert (array.format, array.dtype, array.typed) == ("npy", values.dtype.name, True)


@settings(deadline=None, max_examples=40)
@given(values=arrays())
def test_a_pipe_gives_what_the_file_gives(tmp_path_factory, values):
    """Data that another program makes on the fly need no file."""
    path = tmp_path_factory.mktemp("pipe") / "a.npy"
    np.save(path, values)
    with piped(path.read_bytes()) as name:
        array = open_array(name)
    assert bits(array.values) == bits(values)
    assert array.shape == values.shape


@pytest.mark.parametrize(("code", "name"), NAMES.items())
def test_the_type_has_the_fields_name(tmp_path, code, name):
    """The report says "float32" whatever the byte order, as the options do."""
    for order in "<>":
        path = str(tmp_path / "a.npy")
        np.save(path, np.zeros(3, order + code))
        assert open_array(path).dtype == name


def test_two_bytes_without_a_type_are_kept(tmp_path):
    """bfloat16 is saved so; its bits must arrive unchanged for --dtype bfloat16 to read them."""
    tensor = torch.randn(4, 5).bfloat16()
    path = str(tmp_path / "a.npy")
    np.save(path, tensor.view(torch.int16).numpy().view("V2"))
    array = open_array(path)
    assert array.dtype == "void16"
    assert torch.equal(as_tensor(array.values), tensor)


@same_directory
@given(values=arrays())
def test_torch_takes_every_array(tmp_path, values):
    """Torch warns of arrays that cannot be written, and refuses odd byte orders: neither may reach the user."""
    path = str(tmp_path / "a.npy")
    np.save(path, values)
    native = values.astype(values.dtype.newbyteorder("="))
    assert bits(as_tensor(open_array(path).values).numpy()) == bits(native)


def test_an_odd_header_does_not_give_odd_addresses(tmp_path):
    """Old writers align to 16 bytes, bad ones to none; kernels may fault on a misaligned float."""
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (3,), }\n"
    path = tmp_path / "a.npy"
    path.write_bytes(b"\x93NUMPY\1\0" + len(header).to_bytes(2, "little") + header + np.arange(3.0).tobytes())
    values = open_array(str(path)).values
    assert values.flags.aligned
    assert values.tolist() == [0, 1, 2]


def test_a_header_of_python_2(tmp_path):
    """Python 2 wrote its sizes as 2L; such files are still around."""
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1L, 3L), }\n"
    path = tmp_path / "a.npy"
    path.write_bytes(b"\x93NUMPY\1\0" + len(header).to_bytes(2, "little") + header + np.arange(3.0).tobytes())
    assert open_array(str(path)).values.tolist() == [[0, 1, 2]]


def test_a_file_beyond_the_memory_is_read_where_it_is_asked_for(tmp_path):
    """Dumps of a vocabulary exceed the memory."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    rows = 2 * memory // 4000
    path = tmp_path / "a.npy"
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": (rows, 1000)})
        file.truncate(file.tell() + rows * 4000)
    array = open_array(str(path))
    assert array.shape == (rows, 1000)
    assert array.read(0, rows - 1, rows).sum() == 0


def test_place_is_the_index(tmp_path):
    """So that a reader can type it after the array's name."""
    path = str(tmp_path / "a.npy")
    np.save(path, np.zeros((4, 6)))
    assert open_array(path).at((3, 5)) == f"{path}, element [3, 5]"
    np.save(path, np.float64(1))
    assert open_array(path).place(()) == "the only element"


def test_the_content_tells_and_not_the_name(tmp_path):
    """An array named .csv is still an array."""
    path = tmp_path / "a.csv"
    with path.open("wb") as file:
        np.save(file, np.arange(3))
    assert open_array(str(path)).format == "npy"


def test_every_kind_of_numpy_has_words():
    """A type that KINDS lacks would end in a traceback."""
    assert {np.dtype(code).kind for code in np.typecodes["All"]} <= set(KINDS) | set("biu")
