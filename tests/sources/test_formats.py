"""Every format gives the very numbers that its own library wrote, and refuses what is damaged in one message."""

from __future__ import annotations

import io
import json
import re
import sys
import warnings
import zipfile
from collections import OrderedDict
from contextlib import suppress
from typing import TYPE_CHECKING

import format_files as files
import numpy as np
import pyarrow as pa
import pytest
import safetensors.numpy
import safetensors.torch
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from piped import piped

from xentcli.errors import InputError, UsageError, XentError
from xentcli.numbers.tensors import as_tensor
from xentcli.sources import formats
from xentcli.sources.extras import EXTRAS, is_installed
from xentcli.sources.open import open_array, open_pair

if TYPE_CHECKING:
    from pathlib import Path

few = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=15)
LOGITS = np.random.default_rng(1).standard_normal((6, 5)).astype(np.float32)
LABELS = np.arange(6) % 5
# every float16 by its bits: hypothesis' own floats of 16 bits are filtered, now and then so many that it gives up
HALVES = st.integers(0, 0xFFFF).map(lambda bits: float(np.uint16(bits).view(np.float16)))


@st.composite
def pairs(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Logits of any bits, [rows, classes], and labels of some integer type, [rows]."""
    shape = draw(st.tuples(st.integers(1, 9), st.integers(1, 5)))
    logits = draw(hnp.arrays(st.sampled_from(["<f2", "<f4", "<f8"]), shape, elements=HALVES))
    return logits, draw(hnp.arrays(st.sampled_from(["<i8", "<i4", "u1"]), shape[:1], elements=st.integers(0, 99)))


def written(folder: Path, raw: bytes, name: str = "file") -> str:
    (folder / name).write_bytes(raw)
    return str(folder / name)


def assert_is(found, expected: np.ndarray) -> None:
    """The same bits, of the same type, in any piece."""
    assert (found.shape, found.kind, found.dtype) == (expected.shape, expected.dtype, expected.dtype.name)
    assert found.values.tobytes() == expected.tobytes()
    for axis in range(expected.ndim):
        middle = expected.shape[axis] // 2
        part = found.read(axis, middle, expected.shape[axis])
        assert part.tobytes() == expected.take(range(middle, expected.shape[axis]), axis).tobytes()


@pytest.mark.parametrize("form", files.BOTH)
@few
@given(pair=pairs())
def test_a_file_of_both_is_read(tmp_path, form, pair):
    """One file from one line of the user's code, and no second name to get wrong."""
    found = open_pair(written(tmp_path, files.BOTH[form](*pair)))
    for array, expected in zip(found, pair, strict=True):
        assert_is(array, expected)


@pytest.mark.parametrize("form", files.ONE)
@few
@given(pair=pairs())
def test_a_file_of_one_array_is_read(tmp_path, form, pair):
    """The only array needs no name."""
    key = ":logits" if form == "npz" else ""
    for array in pair:
        assert_is(open_array(written(tmp_path, files.ONE[form](array)) + key), array)


@few
@given(pair=pairs())
def test_json_lines_are_read(tmp_path, pair):
    """Text does not tell types: the numbers count."""
    logits, labels = open_pair(written(tmp_path, files.jsonl(*pair)))
    np.testing.assert_array_equal(logits.values, pair[0].astype(np.float64))
    np.testing.assert_array_equal(labels.values, pair[1])
    assert labels.place((-1,)) == f"line {len(pair[1])}"
    lists = "\n\n".join(json.dumps(row) for row in pair[0].tolist())
    array = open_array(written(tmp_path, lists.encode()))
    np.testing.assert_array_equal(array.values, pair[0].astype(np.float64))
    assert array.place((len(pair[0]) - 1, 0)) == f"line {2 * len(pair[0]) - 1}, number 1"


@pytest.mark.parametrize("packing", files.PACKERS)
@pytest.mark.parametrize("form", ["npz", "safetensors", "pt", "parquet", "feather"])
def test_what_is_packed_or_comes_through_a_pipe_is_read(tmp_path, packing, form):
    """`zstdcat`, a shell's <(...) and a packed file give what the file itself gives."""
    raw = files.BOTH[form](LOGITS, LABELS)
    packed = files.PACKERS[packing](raw)
    found = [*open_pair(written(tmp_path, packed)), *open_pair(written(tmp_path, packed + packed[:0]))]
    with piped(raw) as name:
        found += open_pair(name)
    for array, expected in zip(found, [LOGITS, LABELS] * 3, strict=True):
        assert_is(array, expected)


@pytest.mark.parametrize("packing", files.PACKERS)
def test_frames_follow_one_another(tmp_path, packing):
    """`cat a.gz b.gz` is a file of both, and tapes are filled up with zeros."""
    pack = files.PACKERS[packing]
    path = written(tmp_path, pack(b"1,2\n3,") + pack(b"4\n") + bytes(512))
    assert open_array(path).values.tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize("packing", files.PACKERS)
def test_a_packed_file_that_is_damaged(tmp_path, packing):
    """Half of the numbers are no answer, and neither are others."""
    packed = files.PACKERS[packing](files.csv(np.random.default_rng(2).standard_normal((50, 5))))
    for cut in range(8, len(packed), 41):
        with pytest.raises(InputError, match=r"cut off|nothing in it|no rows"):
            open_array(written(tmp_path, packed[:cut]))
    for place in range(12, len(packed), 97):
        broken = packed[:place] + bytes([packed[place] ^ 0x55]) + packed[place + 1 :]
        with pytest.raises(InputError):
            open_array(written(tmp_path, broken))
    with pytest.raises(InputError, match="damaged"):
        open_array(written(tmp_path, packed + b"garbage that is longer than a header"))
    with pytest.raises(InputError, match="packed once"):
        open_array(written(tmp_path, files.PACKERS[packing](packed)))


ONE = {form: lambda x, _, write=write: write(x) for form, write in files.ONE.items() if form not in files.BOTH}
ALL = {**files.BOTH, **ONE}
# A stream may end between two batches, and a message between two of its fields.
ENDS_ANYWHERE = {"arrow stream", "pb with typed data"}


def ask(form: str, path: str) -> tuple:
    return open_pair(path) if form in files.BOTH else (open_array(path),)


@pytest.mark.parametrize("form", sorted(set(ALL) - ENDS_ANYWHERE))
def test_a_file_that_is_cut_off_is_refused(tmp_path, form):
    """A copy that stopped, or a disk that was full: never some of the rows."""
    raw = ALL[form](LOGITS, LABELS)
    assert len(ask(form, written(tmp_path, raw))) > 0
    for size in {*range(0, len(raw), max(1, len(raw) // 60)), len(raw) - 1}:
        with pytest.raises(XentError):
            ask(form, written(tmp_path, raw[:size]))


@pytest.mark.parametrize("form", sorted(set(ALL) - {"parquet", "parquet of many groups", "feather", "arrow stream"}))
@few
@given(data=st.data())
def test_a_changed_byte_is_no_traceback(tmp_path, form, data):
    """Whatever a header says, it is an array or a message."""
    raw = bytearray(ALL[form](LOGITS, LABELS))
    for _ in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(0, min(400, len(raw) - 1)) | st.integers(0, len(raw) - 1))] = data.draw(
            st.integers(0, 255)
        )
    with suppress(XentError):
        for array in ask(form, written(tmp_path, bytes(raw))):
            assert array.values.shape == array.shape


def test_bfloat16_keeps_its_bits(tmp_path):
    """Language models are saved so, and numpy has no such type."""
    tensor = torch.randn(4, 3).bfloat16()
    for raw in (safetensors.torch.save({"x": tensor}), files.pt([tensor])):
        array = open_array(written(tmp_path, raw))
        assert array.dtype == "bfloat16"
        assert torch.equal(as_tensor(array.values), tensor)


VIEWS = {
    "transposed": lambda x: x.T,
    "sliced": lambda x: x[1:, ::2],
    "offset": lambda x: x[2:],
    "expanded": lambda x: x[:1].expand(4, 5),
    "of no rows": lambda x: x[:0],
    "a parameter": torch.nn.Parameter,
}


@pytest.mark.parametrize("view", VIEWS)
def test_views_of_a_tensor_are_read(tmp_path, view):
    """torch saves the storage and how the tensor lies in it; a step misread is another sample."""
    tensor = VIEWS[view](torch.from_numpy(LOGITS))
    array = open_array(written(tmp_path, files.pt({"other": tensor, "a": {"b": [0, tensor]}})) + ":a.b.1")
    np.testing.assert_array_equal(array.values, tensor.detach().numpy())


STRANGE = {  # what torch saves beside tensors, or as other tensors -> what is said of it, or nothing
    "a negation that waits": (lambda x: torch.complex(x, x).conj().imag, "negated"),
    "a conjugate": (lambda x: torch.complex(x, x).conj(), "complex64"),
    "16 bits without a sign": (lambda x: x.to(torch.uint16), "uint16"),
    "8-bit floats": (lambda x: x.to(torch.float8_e4m3fn), "float8"),
    "sparse": (lambda x: x.to_sparse(), "sparse"),
    "nested": (lambda x: torch.nested.nested_tensor([x]), "nested"),
    "on meta": (lambda x: x.to("meta"), "on meta"),
}


@pytest.mark.parametrize("name", STRANGE)
def test_a_tensor_without_plain_numbers_is_refused(tmp_path, name):
    """What waits to be negated lies in the file with the other sign, and was read so."""
    make, says = STRANGE[name]
    with warnings.catch_warnings(action="ignore"):  # torch's own, of prototypes
        path = written(tmp_path, files.pt(make(torch.from_numpy(LOGITS))))
    with pytest.raises(InputError) as caught:
        open_array(path)
    assert says in str(caught.value)


TENSORS = {
    "in order": lambda x: x,
    "transposed": lambda x: x.T.contiguous().T,
    "every other column": lambda x: torch.cat([x, x], 1).reshape(len(x), 2, -1).transpose(1, 2)[..., 0],
    "a part": lambda x: torch.cat([x + 1, x, x + 2])[len(x) : 2 * len(x)],
    "expanded": lambda x: x[:1].expand(5, -1),
    "one number": lambda x: x[0, 0],
    "no columns": lambda x: x[:, :0],
    "of axes of length 1": lambda x: x[None, :, None],
    "requires a gradient": lambda x: x.clone().requires_grad_(),
    **{f"of {dtype}": lambda x, dtype=dtype: (x * 8).to(dtype) for dtype in (
        torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8,
        torch.bool,
    )},
}  # fmt: skip


@pytest.mark.parametrize("name", TENSORS)
def test_a_tensor_is_read_as_torch_reads_it(tmp_path, name):
    """Our own reader finds each number by a storage, an offset and steps: one misread is another sample."""
    path = written(tmp_path, files.pt({"x": TENSORS[name](torch.from_numpy(LOGITS))}))
    expected = torch.load(path, weights_only=True)["x"].detach()
    found = open_array(path)
    assert found.dtype == str(expected.dtype).removeprefix("torch.")
    assert torch.equal(as_tensor(np.ascontiguousarray(found.values).reshape(found.shape)), expected)


def test_what_stands_beside_tensors_is_left_out(tmp_path):
    """A checkpoint holds its optimizer's numbers, sizes, types and devices, too, and is one nevertheless."""
    content = OrderedDict(
        logits=torch.from_numpy(LOGITS), size=torch.Size([4, 3]), dtype=torch.bfloat16, device=torch.device("cpu"),
        lr=1e-3, name="x", betas=(0.9, 0.999), numpy=np.float32(2), array=np.arange(3), none=None, flags={1: True},
    )  # fmt: skip
    np.testing.assert_array_equal(open_array(written(tmp_path, files.pt(content))).values, LOGITS)


class Evil:
    """What runs code when it is unpickled."""

    def __reduce__(self):
        return print, ("code was run",)


def test_code_in_a_file_is_not_run(tmp_path, capsys):
    """A file from the network must not own the machine."""
    with pytest.raises(InputError, match="holds more than tensors"):
        open_array(written(tmp_path, files.pt({"x": torch.ones(2), "y": Evil()})))
    assert not capsys.readouterr().out


def test_torch_is_not_asked_to_read_a_file(tmp_path, monkeypatch):
    """Versions before 2.10 could be made to run code, and every one takes what memory a file asks for."""
    path = written(tmp_path, files.pt(torch.ones(2)))
    monkeypatch.setattr(torch, "load", None)
    assert open_array(path).values.tolist() == [1, 1]


def test_a_compressed_pt_archive_is_refused(tmp_path):
    """Numbers read from compressed bytes would be noise."""
    packed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(files.pt(torch.zeros(1000)))) as old, zipfile.ZipFile(packed, "w", 8) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    with pytest.raises(InputError):
        open_array(written(tmp_path, packed.getvalue()))


def test_a_list_that_holds_itself_ends(tmp_path):
    """It must not be walked for ever."""
    endless: list[object] = [torch.ones(2)]
    endless.append(endless)
    assert open_array(written(tmp_path, files.pt(endless))).shape == (2,)


def safetensors_of(header: object, data: bytes = bytes(24)) -> bytes:
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def tensor_of(**changes: object) -> bytes:
    return safetensors_of({"x": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]} | changes})


HOSTILE = {
    "8-bit floats": (tensor_of(dtype="F8_E4M3", data_offsets=[0, 24]), "F8_E4M3"),
    "a negative size": (tensor_of(shape=[-2, -3]), "damaged"),
    "a size that is no integer": (tensor_of(shape=[2, 3.0]), "damaged"),
    "a size that is a truth value": (tensor_of(shape=[True, 6]), "damaged"),
    "offsets beyond the file": (tensor_of(data_offsets=[0, 1 << 60]), "bytes of tensors"),
    "offsets backwards": (tensor_of(data_offsets=[24, 0]), "damaged"),
    "offsets before the file": (tensor_of(data_offsets=[-8, 16]), "damaged"),
    "three offsets": (tensor_of(data_offsets=[0, 8, 24]), "damaged"),
    "a shape of another size": (tensor_of(shape=[2, 2]), "goes on"),
    "no dtype": (safetensors_of({"x": {}}), "damaged"),
    "a header that is no object": (safetensors_of({})[:8] + b"{1", "damaged"),
    "a header too long": (b"\xff\xff\xff\xff\0\0\0\0{", "bytes"),
    "nesting without end": ((100_000).to_bytes(8, "little") + b'{"a":' * 20_000, "damaged"),
    "no tensor": (safetensors_of({}, b""), "which array"),
    "an archive that is empty": (b"PK\5\6" + bytes(18), "not read"),
    "a table of words": (files.parquet(pa.table({"a": ["x"], "b": ["y"]})), "no plain numbers"),
    "truth values": (files.parquet(pa.table({"a": [True]})), "no plain numbers"),
    "a missing value": (files.parquet(pa.table({"a": [1.0, None], "b": [1.0, 2.0]})), "row 1"),
    "a missing list": (files.feather(pa.table({"logits": [[1.0], None]})), "row 1"),
    "a missing number in a list": (files.feather(pa.table({"logits": [[1.0, 2.0], [3.0, None]]})), "row 1"),
    "lists that differ": (files.parquet(pa.table({"logits": [[1.0], [1.0], [1.0, 2.0]]})), "row 2"),
    "a table without rows": (files.parquet(pa.table({"logits": pa.array([], pa.float32())})), "no rows"),
    "an object in a later line": (b'[1]\n{"logits": [1]}\n', "line 2"),
    "lines that differ in length": (b"[1, 2]\n\n[1]\n", "line 3"),
    "a word in a list": (b'[1, "2"]\n', "line 1, number 2"),
    "null in a list": (b"[1, 2]\n[1, null]\n", "line 2, number 2"),
    "truth in a list": (b"[1, true]\n", "line 1, number 2"),
    "a list without end": (b"[1, 2\n", "line 1"),
    "lists without end": (b"[" * 100_000 + b"\n", "not whole"),
    "records without end": (b'[{"a": 1}, {"a": 2}', "not whole"),
    "records and more": (b'[{"a": 1}] [2]', "more after its end"),
    "records that differ": (b'[{"a": 1, "b": 2}, {"a": 2}]', "record 1"),
    "columns that differ": (b'{"a": {"0": 1}, "b": {"1": 2}}', "other rows"),
    "a square of objects that all count": (b'{"0": {"0": 1, "1": 2}, "1": {"0": 3, "1": 4}}', "rows of columns"),
    "rows with names": (b'{"a": {"x": 1}, "b": {"x": 2}}', "order"),
    "a key that is missing": (b'{"logits": [1]}\n{"logit": [1]}\n', "line 2"),
    "an array of Python objects": (files.npz(np.array([{}], object), LABELS), "Python objects"),
    "a tensor of quantised numbers": (files.pt(torch.ones(2).to(torch.complex64)), "torch.complex64"),
    "a sparse tensor": (files.pt(torch.eye(2).to_sparse()), ""),
    "a proto of words": (b"\x08\x01\x10\x08\x32\x01x", "data type 8"),
    "a proto in two parts": (b"\x08\x02\x10\x01" + b"\x22\x04" + bytes(4) + b"\x22\x04" + bytes(4), "parts"),
    "a proto of another type": (b"\x08\x01\x10\x0b\x22\x04" + bytes(4), "another type"),
    "a proto of no numbers": (b"\x08\x05\x10\x01", "cut off"),
    "a proto without end": (b"\x08\x01\x10\x01\x4a" + b"\xff" * 12, "64 bits"),
    "a proto of exabytes": (b"\x08\xff\xff\xff\xff\xff\xff\xff\x7f\x10\x01", "shape"),
    "a proto with its data elsewhere": (b"\x08\x01\x10\x01\x6a\x01x", "another file"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused(tmp_path, name):
    """A header may claim anything."""
    raw, says = HOSTILE[name]
    with pytest.raises(XentError) as caught:
        open_array(written(tmp_path, raw)).values.sum()
    assert says in str(caught.value)
    assert len(str(caught.value)) < 600


def test_names_are_never_places(tmp_path):
    """What is read from an archive is not put anywhere by its name."""
    raw = io.BytesIO()
    np.savez(raw, **{"../../evil": LOGITS})
    assert_is(open_array(written(tmp_path, raw.getvalue()) + ":../../evil"), LOGITS)
    assert [path.name for path in tmp_path.rglob("*")] == ["file"]


def test_which_array_is_meant(tmp_path):
    """Named arrays are taken by their role, by their name or alone; nothing is guessed."""
    path = written(tmp_path, safetensors.numpy.save({"a": LOGITS, "b": LABELS}), "m:1.safetensors")
    assert open_array(f"{path}:a").path == f"{path}:a"
    assert_is(open_array(path, "labels", "b"), LABELS)
    for ask, said in [
        (lambda: open_array(path), "which array holds the logits"),
        (lambda: open_array(f"{path}:c"), "no array of this name"),
        (lambda: open_pair(path, key="a"), "labels are missing"),
        (lambda: open_pair(path, column="b"), "only a CSV"),
        (lambda: open_array(written(tmp_path, b"1,2\n") + ":x"), "one array"),
        (lambda: open_pair(written(tmp_path, b"1,2\n")), "labels are missing"),
    ]:
        with pytest.raises(UsageError, match=re.escape(said)):
            ask()


@pytest.mark.parametrize("write", [files.parquet, files.feather])
def test_a_column_a_class(tmp_path, write):
    """How a data frame of logits looks."""
    columns = {f"class {number}": LOGITS[:, number] for number in range(5)}
    path = written(tmp_path, write(pa.table({**columns, "y": LABELS})))
    logits, labels = open_pair(path, "y")
    assert_is(logits, LOGITS)
    assert_is(labels, LABELS)
    assert_is(open_array(f"{path}:y"), LABELS)
    assert_is(open_array(written(tmp_path, write(pa.table(columns)))), LOGITS)
    with pytest.raises(UsageError, match="no column"):
        open_pair(path, "z")


@pytest.mark.parametrize(("extra", "raw"), [
    ("arrow", files.BOTH["parquet"](LOGITS, LABELS)),
    ("arrow", files.BOTH["feather"](LOGITS, LABELS)),
    ("zstd", files.PACKERS["zst"](b"1,2\n")),
])  # fmt: skip
def test_what_is_not_installed_is_named(tmp_path, monkeypatch, extra, raw):
    """One sentence that can be pasted, and no traceback."""
    for module in [name for name in sys.modules if name.partition(".")[0] == EXTRAS[extra]]:
        monkeypatch.setitem(sys.modules, module, None)
    assert not is_installed(extra)
    with pytest.raises(UsageError) as caught:
        open_array(written(tmp_path, raw))
    assert caught.value.details["hint"] == f"pip install {EXTRAS[extra]}"


def test_every_mark_is_of_one_format():
    """A file that two formats claim is read as the wrong one."""
    for form, write in files.BOTH.items():
        name = formats.recognised(write(LOGITS, LABELS)[:512]).name
        assert name == {"feather": "arrow", "arrow stream": "arrow"}.get(form, form.split()[0].strip(","))
    assert {form.suffixes[0] for form in formats.FORMATS} >= {".npy", ".npz", ".pt", ".parquet", ".pb", ".kld"}


@pytest.mark.parametrize("offsets", [[-6, -3, 0], [3, 0, 3], [0, 3, 600_000]], ids=str)
def test_an_arrow_file_is_not_believed_where_its_lists_lie(tmp_path, offsets):
    """Lists that lie outside of their numbers are memory of somebody else, and would be certified."""
    lists = pa.ListArray.from_arrays(pa.array([0, 3, 6], pa.int32()), pa.array(np.arange(12, dtype="f4")))
    batch = pa.record_batch({"logits": lists, "labels": pa.array([0, 1])})
    sink = io.BytesIO()
    with pa.ipc.new_file(sink, batch.schema) as writer:
        writer.write_batch(batch)
    right, forged = (np.array(each, "i4").tobytes() for each in ([0, 3, 6], offsets))
    assert sink.getvalue().count(right) == 1
    path = tmp_path / "forged.arrow"
    path.write_bytes(sink.getvalue().replace(right, forged))
    with pytest.raises(InputError, match="damaged"):
        open_pair(str(path))


@pytest.mark.parametrize("order", [b"big", b"", b"middle"])
def test_a_pt_file_of_another_byte_order(tmp_path, order):
    """torch swaps the bytes of memory that is not there, and the process ends without a word."""
    whole = io.BytesIO()
    torch.save({"logits": torch.zeros(4, 3), "labels": torch.zeros(4, dtype=torch.int64)}, whole)
    path = tmp_path / "big.pt"
    with zipfile.ZipFile(whole) as right, zipfile.ZipFile(path, "w") as wrong:
        for member in right.infolist():
            wrong.writestr(member, order if member.filename.endswith("byteorder") else right.read(member))
    with pytest.raises(InputError, match="high byte first"):
        open_pair(str(path))
