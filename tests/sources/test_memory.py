"""What is in memory arrives with its very bits, and without a copy wherever none is needed."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from xentcli.errors import InputError
from xentcli.numbers.tensors import as_tensor
from xentcli.sources.memory import from_memory

FLOATS = [torch.float64, torch.float32, torch.float16, torch.bfloat16]
INTEGERS = [torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8]
VIEWS = {
    "as it is": lambda x: x,
    "transposed": lambda x: x.T,
    "every other row": lambda x: x[::2],
    "one column": lambda x: x[:, 1],
    "expanded": lambda x: x[:1].expand(4, 6),
    "no rows": lambda x: x[:0],
    "one number": lambda x: x[0, 0],
}


def refusal(value: object) -> str:
    with pytest.raises(InputError) as caught:
        from_memory(value, "<logits>")
    return str(caught.value)


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("dtype", [*FLOATS, *INTEGERS])
def test_a_tensor_comes_back_as_it_was(dtype, view):
    """Strides and types are where conversions go wrong, and a wrong stride reads other numbers."""
    tensor = VIEWS[view](torch.arange(24).reshape(4, 6).to(dtype))
    array = from_memory(tensor, "<logits>")
    assert array.dtype == str(dtype).removeprefix("torch.")
    assert array.shape == tuple(tensor.shape)
    assert torch.equal(as_tensor(array.values), tensor)
    assert (array.path, array.format, array.typed) == ("<logits>", "memory", True)


@pytest.mark.parametrize("dtype", [*FLOATS, *INTEGERS])
def test_a_tensor_is_shared(dtype):
    """Logits of a vocabulary take gigabytes: a copy may not fit."""
    tensor = torch.ones(4, 6).to(dtype)
    assert from_memory(tensor, "x").values.ctypes.data == tensor.data_ptr()


def test_bfloat16_keeps_every_bit():
    """All 65,536 patterns, NaN's payload too: numpy has no such type, and float32 would be a copy."""
    patterns = torch.arange(-(2**15), 2**15).to(torch.int16)
    values = as_tensor(from_memory(patterns.view(torch.bfloat16), "x").values)
    assert torch.equal(values.view(torch.int16), patterns)


def test_a_tensor_in_training_is_read():
    """Logits straight from a model require gradients."""
    tensor = torch.randn(2, 3, requires_grad=True)
    np.testing.assert_array_equal(from_memory(tensor * 2, "x").values, (tensor * 2).detach().numpy())
    assert from_memory(torch.nn.Parameter(tensor), "x").shape == (2, 3)


def test_a_lazy_minus_is_carried_out():
    """The imaginary part of a conjugate is stored with the other sign."""
    tensor = torch.tensor([1 + 2j, 3 - 4j]).conj().imag
    assert tensor.is_neg()
    assert from_memory(tensor, "x").values.tolist() == [-2, 4]


@pytest.mark.parametrize(
    ("tensor", "says"),
    [
        (torch.ones(2, dtype=torch.complex64), "complex"),
        (torch.ones(2, dtype=torch.complex64).conj(), "complex"),
        (torch.ones(2, dtype=torch.float8_e4m3fn), "float8"),
        (torch.eye(2).to_sparse(), "sparse"),
        (torch.ones(2, device="meta"), "on meta"),
    ],
)
def test_other_tensors_are_refused(tensor, says):
    """What has no plain numbers must be named, not converted by guess."""
    assert says in refusal(tensor)


@settings(deadline=None)
@given(hnp.arrays(st.sampled_from(["<f4", ">f8", "<i8", ">i2", "u1", "<f2"]), hnp.array_shapes(min_dims=0, max_dims=3)))
def test_an_array_is_shared(values):
    """Neither byte order nor read-only memory is a reason for a copy here."""
    values.setflags(write=False)
    for view in (values, values.T, values[..., ::-1] if values.ndim else values):
        array = from_memory(view, "x")
        assert np.shares_memory(array.values, values)
        assert array.values.tobytes() == view.tobytes()
        assert array.dtype == values.dtype.name


@pytest.mark.parametrize(
    ("values", "says"),
    [
        (np.array([1j]), "complex"),
        (np.array(["1"]), "text"),
        (np.array([1, None]), "Python objects"),
        (np.array(["2024-01-01"], "M8[D]"), "dates"),
        (np.ma.masked_array([1, 2], [True, False]), "masked"),
        (np.zeros(2, [("a", "f4")]), "records"),
    ],
)
def test_other_arrays_are_refused(values, says):
    assert says in refusal(values)


def test_what_numpy_takes_for_an_array_is_read():
    """Data frames and the arrays of other libraries know how to become numpy's."""

    class Frame:
        def __array__(self, dtype=None, copy=None):
            return np.arange(3.0)

    class Broken:
        def __array__(self, dtype=None, copy=None):
            raise TypeError("on the accelerator")

    assert from_memory(Frame(), "x").values.tolist() == [0, 1, 2]
    assert from_memory(np.ma.masked_array([1, 2], [False, False]), "x").values.tolist() == [1, 2]
    assert from_memory(np.float32(1.5), "x").dtype == "float32"
    assert "on the accelerator" in refusal(Broken())


integers = st.integers(-(2**63), 2**63 - 1)


@given(hnp.array_shapes(min_dims=0, max_dims=3, max_side=3), st.data())
def test_lists_are_int64_or_float64(shape, data):
    """Integers are labels and floats are probabilities: the type decides what the target means."""
    values = data.draw(hnp.arrays(np.int64, shape, elements=integers))
    array = from_memory(values.tolist(), "x")
    assert array.dtype == "int64"
    np.testing.assert_array_equal(array.values, values)
    floats = data.draw(hnp.arrays(np.float64, shape))
    array = from_memory(floats.tolist(), "x")
    assert array.dtype == "float64"
    np.testing.assert_array_equal(array.values, floats)


def test_mixed_lists():
    """One float makes floats of all, as in numpy; tuples are lists; numpy's own numbers are numbers."""
    assert from_memory([1, 2.5], "x").dtype == "float64"
    assert from_memory(((1, 2), [3, 4]), "x").values.tolist() == [[1, 2], [3, 4]]
    assert from_memory([np.int32(1), np.int64(2)], "x").dtype == "int64"
    assert from_memory([np.float32(0.1), 1], "x").values.tolist() == [float(np.float32(0.1)), 1.0]
    assert from_memory([], "x").shape == (0,)
    assert from_memory([[], []], "x").shape == (2, 0)


ENDLESS: list = []
ENDLESS += [ENDLESS, ENDLESS]
DEEP: list = [1]
for _ in range(10_000):
    DEEP = [DEEP]


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (True, "bool"),
        ([1, True], "element [1]"),
        ([[1.0, 2.0], [3.0, "4"]], "element [1, 1]"),
        ([[1.0, None]], "NoneType"),
        ("1.5", "str"),
        (None, "NoneType"),
        ({"a": 1}, "dict"),
        ({1, 2}, "set"),
        (range(3), "range"),
        (1j, "complex"),
        (b"1", "bytes"),
        ([np.array([1, 2])], "ndarray"),
        ([torch.tensor(1)], "Tensor"),
        ([[1, 2], [3]], "element [1]"),
        ([[1, 2], 3], "element [1]"),
        ([1, [2]], "element [1]"),
        ([[[1], [2]], [[3], [4, 5]]], "element [1, 1]"),
        ([2**63], "beyond 64 bits"),
        ([0.5, 10**400], "beyond 64 bits"),
        (ENDLESS, "nested too deep"),
        (DEEP, "nested too deep"),
    ],
)
def test_other_lists_are_refused(value, says):
    """A truth value among labels, or a short row, is a slip of the caller's, and numpy would hide it."""
    message = refusal(value)
    assert says in message
    assert "<logits>" in message


def test_a_list_that_holds_itself_ends():
    """It differs from its own first row in length, and that is seen before it is walked for ever."""
    loop: list = [[1, 2]]
    loop.append(loop)
    loop.append([1, 2])
    assert "differ in length" in refusal(loop)
