"""What people save their logits and labels in: each is written by the library that makes it, and asked for at once."""

from __future__ import annotations

import io
import json
import os
import pickle
import re
import shlex
import struct
from collections import OrderedDict
from functools import reduce
from typing import TYPE_CHECKING, Any

import h5py
import joblib
import numpy as np
import pytest
import torch
from onnx import numpy_helper
from process import xent_here
from safetensors.numpy import save_file as safetensors_save

from xentcli.errors import Exit, InputError, XentError
from xentcli.sources.open import open_array, open_pair

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

GENERATOR = np.random.default_rng(11)
LOGITS = GENERATOR.standard_normal((10, 4)).astype(np.float32)
LABELS = GENERATOR.integers(0, 4, 10)
WIDE = LOGITS.astype(np.longdouble)
MEAN = float((np.log(np.exp(WIDE).sum(axis=1)) - WIDE[np.arange(10), LABELS]).mean())
CUTS = (slice(0, 4), slice(4, 8), slice(8, 10))  # the last batch is ragged
BATCHES = [(LOGITS[cut], LABELS[cut]) for cut in CUTS]
TENSORS = [(torch.from_numpy(logits), torch.from_numpy(labels)) for logits, labels in BATCHES]


def saved(save: Callable[..., Any], *content: Any, **settings: Any) -> bytes:
    """What a library writes to an open file."""
    file = io.BytesIO()
    for each in content:
        save(*((file, each) if save is np.save else (each, file)), **settings)
    return file.getvalue()


def h5(**datasets: Any) -> bytes:
    file = io.BytesIO()
    with h5py.File(file, "w") as content:
        for name, values in datasets.items():
            content[name.replace("__", "/")] = values
    return file.getvalue()


BOTH = {
    "pt: a list of pairs": ("f.pt", saved(torch.save, TENSORS)),
    "pt: a list of dicts": ("f.pt", saved(torch.save, [{"logits": x, "labels": y} for x, y in TENSORS])),
    "pt: a dict of lists": (
        "f.pt",
        saved(torch.save, {"preds": [x for x, _ in TENSORS], "targets": [y for _, y in TENSORS]}),
    ),
    "pt: a pair": ("f.pt", saved(torch.save, (torch.from_numpy(LOGITS), torch.from_numpy(LABELS)))),
    "pt: arrays of NumPy": (
        "f.pt",
        saved(torch.save, {"predictions": LOGITS, "label_ids": LABELS, "metrics": {"loss": np.float32(2)}}),
    ),
    "pt: lists of Python": ("f.pt", saved(torch.save, {"logits": LOGITS.tolist(), "labels": LABELS.tolist()})),
    "pkl: a dict": ("f.pkl", saved(pickle.dump, {"y_pred": LOGITS, "y_true": LABELS})),
    "pkl: protocol 2": ("f.pkl", saved(pickle.dump, {"y_pred": LOGITS, "y_true": LABELS}, protocol=2)),
    "pkl: a list of dicts": ("f.pkl", saved(pickle.dump, [{"outputs": x, "y": y} for x, y in BATCHES], protocol=5)),
    "pkl: an ordered dict": ("f.pkl", saved(pickle.dump, OrderedDict(scores=LOGITS, gt=LABELS))),
    "pkl: lists": ("f.pkl", saved(pickle.dump, {"logits": LOGITS.tolist(), "labels": tuple(LABELS.tolist())})),
    "pkl: Fortran's order": ("f.pkl", saved(pickle.dump, {"logits": np.asfortranarray(LOGITS), "labels": LABELS})),
    "pkl: the high byte first": ("f.pkl", saved(pickle.dump, {"logits": LOGITS.astype(">f4"), "labels": LABELS})),
    "joblib": ("f.joblib", saved(joblib.dump, {"logits": LOGITS, "labels": LABELS})),
    "joblib, a list": ("f.joblib", saved(joblib.dump, [{"logits": x, "labels": y} for x, y in BATCHES])),
    **{
        f"joblib, compressed by {how}": (
            "f.joblib",
            saved(joblib.dump, {"x": LOGITS, "y": LABELS}, compress=(how, level)),
        )
        for how, level in (("zlib", 1), ("zlib", 3), ("zlib", 6), ("zlib", 9), ("gzip", 3), ("xz", 3))
    },
    "hdf5": ("f.h5", h5(logits=LOGITS, labels=LABELS)),
    "hdf5, other names": ("f.h5", h5(y_pred=LOGITS, target=LABELS)),
    "npz, other names": ("f.npz", saved(lambda _, file: np.savez(file, predictions=LOGITS, label_ids=LABELS), None)),
}
TWICE = {
    "npz without names": ("f.npz", saved(lambda _, file: np.savez(file, LOGITS, LABELS), None)),
    "npz with both names twice": (
        "f.npz",
        saved(lambda _, file: np.savez(file, scores=LOGITS, outputs=LOGITS, y=LABELS), None),
    ),
    "hdf5 in groups": ("f.h5", h5(test__logits=LOGITS, test__labels=LABELS)),
    "pkl of odd names": ("f.pkl", saved(pickle.dump, {"a": LOGITS, "b": LABELS})),
}


def mean_of(folder: Path, command: str) -> tuple[str, float | None]:
    ended = xent_here(*shlex.split(command), "--json", cwd=folder)
    return ended.err, json.loads(ended.out)["losses"]["reference"]["lower"] if ended.code == 0 else None


@pytest.mark.parametrize("name", BOTH)
def test_a_file_of_both_is_read_at_once(tmp_path, name):
    """Its owner knows no other way to say it than the file's name."""
    path, raw = BOTH[name]
    (tmp_path / path).write_bytes(raw)
    errors, mean = mean_of(tmp_path, f"compute {path}")
    assert mean == pytest.approx(MEAN, rel=1e-14), errors


@pytest.mark.parametrize("name", TWICE)
def test_what_is_open_is_refused_with_both_names_filled_in(tmp_path, name):
    """A hint with NAME in it is one more look into the file."""
    path, raw = TWICE[name]
    (tmp_path / path).write_bytes(raw)
    errors, mean = mean_of(tmp_path, f"compute {path}")
    assert mean is None
    hint = re.search(r"hint +xent (compute .*)", errors)
    assert hint, errors
    assert "label-column" not in errors
    errors, mean = mean_of(tmp_path, hint[1])
    assert mean == pytest.approx(MEAN, rel=1e-14), errors


ONE = {
    "several np.save": saved(np.save, *(x for x, _ in BATCHES)),
    "an object array of batches": saved(np.save, np.array([x for x, _ in BATCHES], object), allow_pickle=True),
}


@pytest.mark.parametrize("name", ONE)
def test_batches_of_one_array_are_joined_and_said_so(tmp_path, name):
    """The last batch is mostly shorter."""
    (tmp_path / "z.npy").write_bytes(ONE[name])
    array = open_array(str(tmp_path / "z.npy"))
    assert array.format == "npy, 3 batches"
    assert np.array_equal(array.values, LOGITS)
    assert np.array_equal(array.read(0, 3, 9), LOGITS[3:9])
    assert array.at((9, 1)).endswith("batch 2, element [1, 1]")


def test_an_object_array_of_a_dict_is_its_dict(tmp_path):
    """`np.save` of a dictionary makes such a file."""
    np.save(tmp_path / "f.npy", np.array({"logits": LOGITS, "labels": LABELS}, object), allow_pickle=True)
    logits, labels = open_pair(str(tmp_path / "f.npy"))
    assert np.array_equal(logits.values, LOGITS)
    assert np.array_equal(labels.values, LABELS)


class Calls:
    """A pickle that has this function called when it is loaded."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


def pickled(*parts: bytes) -> bytes:
    return b"\x80\x04" + b"".join(parts) + b"."


HOSTILE = {
    "os.system": pickle.dumps(Calls(os.system, "touch ran")),
    "os.system in protocol 2": pickle.dumps(Calls(os.system, "touch ran"), 2),
    "eval": pickled(b"cbuiltins\neval\n", b"X\x0f\0\0\0open('ran', 'w')", b"\x85R"),
    "eval by STACK_GLOBAL": pickled(b"\x8c\x08builtins\x8c\x04eval\x93", b"\x8c\x0fopen('ran', 'w')\x85R"),
    "an attribute of a name we know": pickled(b"\x8c\x05numpy\x8c\x12ndarray.__class__\x93."),
    "an instance": pickled(b"(ios\nsystem\n"),
    "a state for a class of ours": pickled(b"cnumpy\ndtype\n", b"N}\x8c\x01aK\x01s\x86b"),
    "a state for a function of ours": pickled(b"c_codecs\nencode\n", b"}\x8c\x01aK\x01sb"),
    "an extension": pickled(b"\x82\x01"),
    "a persistent object": pickled(b"Pname\n"),
    "exabytes": pickled(b"\x8e" + struct.pack("<Q", 1 << 60) + b"abc"),
    "gigabytes of text": pickled(b"X" + struct.pack("<I", (1 << 32) - 1) + b"abc"),
    "exabytes that may change": pickled(b"\x96" + struct.pack("<Q", 1 << 60) + b"abc"),
    "a frame of exabytes": pickled(b"\x95" + struct.pack("<Q", 1 << 60) + b"N"),
    "a memo of gigabytes": pickled(b"Nr" + struct.pack("<I", (1 << 32) - 1)),
    "zeros by their number": pickled(b"cbuiltins\nbytearray\n", b"\x8a\x06\0\0\0\0\0\x10\x85R"),
    "nested too deep": pickled(b"]" * 100_000 + b"a" * 99_999),
    "a list of itself": pickled(b"]\x94h\0a"),
    "a laugh of a billion": pickle.dumps(reduce(lambda inner, _: [inner] * 9, range(30), [1.0])),
    "one long list a million times": pickle.dumps([[1.0] * 100_000] * 100_000),
    "an array beyond its bytes": pickle.dumps(Calls(np._core.multiarray._reconstruct, np.ndarray, (0,), b"b"), 4)[:-1]
    + b"(K\x01\x8a\x06\0\0\0\0\0\x10\x85cnumpy\ndtype\n\x8c\x02f8\x85R\x89C\x08abcdefghtb.",
    "cut off": pickle.dumps(LOGITS)[:100],
}


@pytest.mark.parametrize("suffix", ["pkl", "npy"])
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_pickle_runs_nothing_and_takes_no_memory(tmp_path, monkeypatch, name, suffix):
    """Loading a file is the oldest way to run somebody else's code."""
    monkeypatch.chdir(tmp_path)
    head = saved(np.save, np.array([None]), allow_pickle=True) if suffix == "npy" else b""
    raw = head[: head.find(b"\n") + 1] + HOSTILE[name]
    (tmp_path / f"f.{suffix}").write_bytes(raw)
    with pytest.raises(XentError):
        open_array(f"f.{suffix}")
    assert not (tmp_path / "ran").exists()


def test_a_name_that_is_refused_is_named(tmp_path):
    """Its owner must know what to leave out."""
    (tmp_path / "f.pkl").write_bytes(HOSTILE["os.system"])
    with pytest.raises(InputError, match=r"posix\.system"):
        open_array(str(tmp_path / "f.pkl"))


def test_hdf5_reads_no_other_file(tmp_path):
    """A dataset may name any file of this machine as the place of its numbers."""
    (tmp_path / "secret").write_bytes(bytes(160))
    with h5py.File(tmp_path / "f.h5", "w") as file:
        file.create_dataset("logits", (10, 4), "f4", external=[(str(tmp_path / "secret"), 0, 160)])
    with pytest.raises(InputError, match="other files"):
        open_array(str(tmp_path / "f.h5"))


FOLDERS = {
    "logits and labels": (("logits_0.npy", "labels_0.npy"), "1 file of logits, 1 file of labels"),
    "a partition": (("fold=0/part.parquet", "fold=1/part.parquet"), "a partition by 'fold'"),
    "a data set": (("data-00000-of-00001.arrow", "state.json", "dataset_info.json"), "a data set of save_to_disk"),
    "zarr": ((".zarray", "0.0"), "a zarr array"),
}


@pytest.mark.parametrize("kind", FOLDERS)
def test_a_folder_is_named_for_what_it_is(kind, tmp_path):
    """ "Is a directory" sends nobody to the command that reads it."""
    names, found = FOLDERS[kind]
    for name in names:
        (tmp_path / "run" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "run" / name).write_bytes(b"{}")
    ended = xent_here("compute", "run", cwd=tmp_path)
    assert ended.code == Exit.BAD_INPUT
    assert found in ended.err
    assert "hint" in ended.err


def test_bools_are_one_hot_rows_in_every_format(tmp_path):
    """A mask of the right class is what comparisons give; each library saves it in its own way."""
    hot = np.eye(4, dtype=bool)[LABELS]
    np.save(tmp_path / "z.npy", LOGITS)
    np.save(tmp_path / "hot.npy", hot)
    safetensors_save({"hot": hot}, tmp_path / "hot.safetensors")
    (tmp_path / "hot.pb").write_bytes(numpy_helper.from_array(hot).SerializeToString())
    torch.save(torch.from_numpy(hot), tmp_path / "hot.pt")
    for name in ("hot.npy", "hot.safetensors:hot", "hot.pb", "hot.pt"):
        ended = xent_here("compute", "z.npy", name, "--expect", f"{MEAN:.6f}", "-q", cwd=tmp_path)
        assert ended.code == Exit.HOLDS, (name, ended.err)


JUNK = {
    "noise": (bytes(range(256)) * 20, "neither a .npy file nor text"),
    "top-k": (b'{"token": "a", "top_logprobs": [{"token": "a", "logprob": -0.1}]}\n', "enclose no loss"),
    "a server's answer": (b'{"choices": [{"logprobs": {"content": []}}]}', "enclose no loss"),
}


@pytest.mark.parametrize("kind", JUNK)
def test_what_holds_no_logits_is_told_what_it_is(kind, tmp_path):
    """Advice about UTF-8 for a binary file, or about columns for a server's answer, costs an hour."""
    content, words = JUNK[kind]
    (tmp_path / "z").write_bytes(content)
    np.save(tmp_path / "y.npy", np.zeros(1, int))
    ended = xent_here("compute", "z", "y.npy", cwd=tmp_path)
    assert ended.code == Exit.BAD_INPUT
    assert words in ended.err
    assert "UTF-8" not in ended.err


@pytest.mark.parametrize("size", [60, 200, 500])
def test_a_file_that_is_being_written_has_no_negative_size(size, tmp_path):
    """Who looks at a run that goes on must be told to wait."""
    np.save(tmp_path / "whole.npy", np.zeros((20, 10)))
    (tmp_path / "z.npy").write_bytes((tmp_path / "whole.npy").read_bytes()[:size])
    np.save(tmp_path / "y.npy", np.zeros(20, int))
    ended = xent_here("compute", "z.npy", "y.npy", cwd=tmp_path)
    assert ended.code == Exit.BAD_INPUT
    assert "-" not in ended.err.split("found")[-1].split("bytes")[0]


def test_one_array_of_another_name_is_not_both(tmp_path):
    """The hint named two arrays where there was one."""
    np.savez(tmp_path / "a.npz", whatever=LOGITS)
    ended = xent_here("compute", "a.npz", cwd=tmp_path)
    assert ended.code == Exit.BAD_INPUT
    assert "xent compute a.npz:whatever LABELS" in ended.err


@pytest.mark.parametrize("seed", range(24))
@pytest.mark.parametrize("level", [1, 2, 5, 9])
def test_what_joblib_packed_is_known_whatever_its_bytes_are(tmp_path, level, seed):
    """The third byte depends on the numbers: one file of a run was read, and the next was called no text."""
    logits = np.random.default_rng(seed).standard_normal((2 + seed, 3))
    joblib.dump({"logits": logits, "labels": np.zeros(len(logits), int)}, tmp_path / "f.joblib", compress=level)
    array, _ = open_pair(str(tmp_path / "f.joblib"))
    assert np.array_equal(array.values, logits)


def test_a_header_that_is_a_power_is_text(tmp_path):
    """`x^2` begins as a packed file does."""
    (tmp_path / "z.csv").write_text("x^2,y^2\n0.5,1.5\n")
    assert open_array(str(tmp_path / "z.csv")).values.tolist() == [[0.5, 1.5]]


@pytest.mark.parametrize("save", [torch.save, pickle.dump], ids=["pt", "pkl"])
def test_hints_never_lead_to_one_batch_alone(tmp_path, save):
    """Who follows the hints got the loss of the first batch, and exit 0."""
    pairs = TENSORS if save is torch.save else BATCHES
    (tmp_path / "f.p").write_bytes(saved(save, [(labels, logits, 1.0 * logits) for logits, labels in pairs]))
    command, mean = "compute f.p", None
    for _ in range(3):
        errors, mean = mean_of(tmp_path, command)
        if mean is not None:
            break
        command = re.search(r"xent (compute .*)", errors)[1]
    assert mean == pytest.approx(MEAN, rel=1e-14), command


@pytest.mark.parametrize("save", [torch.save, pickle.dump], ids=["pt", "pkl"])
def test_pairs_are_known_in_either_order(tmp_path, save):
    """Some loaders give the labels first; one of both has an axis more."""
    pairs = TENSORS if save is torch.save else BATCHES
    for content in ([(labels, logits) for logits, labels in pairs], tuple(reversed(pairs[0])), pairs):
        (tmp_path / "f.p").write_bytes(saved(save, content))
        logits, labels = open_pair(str(tmp_path / "f.p"))
        assert (logits.ndim, labels.ndim) == (2, 1)


def test_labels_by_two_names_are_not_chosen_between(tmp_path):
    """`labels` beside `targets` gave the loss of the first, and exit 0."""
    np.savez(tmp_path / "a.npz", logits=LOGITS, labels=LABELS, targets=LABELS[::-1])
    ended = xent_here("compute", "a.npz", cwd=tmp_path)
    assert ended.code == Exit.BAD_INPUT
    command = re.search(r"xent (compute .*)", ended.err)[1]
    assert mean_of(tmp_path, command)[1] == pytest.approx(MEAN, rel=1e-14)


def test_one_hot_rows_on_another_axis_are_not_turned_into_probabilities(tmp_path):
    """The hint to save them as floats ended in another number, and exit 0."""
    logits = GENERATOR.standard_normal((3, 5, 7))
    labels = GENERATOR.integers(7, size=(3, 5))
    np.save(tmp_path / "z.npy", logits)
    np.save(tmp_path / "hot.npy", np.eye(7, dtype=int)[labels])
    ended = xent_here("compute", "z.npy", "hot.npy", cwd=tmp_path)
    assert ended.code == Exit.BAD_INPUT
    command = re.search(r"xent (compute .*)", ended.err)[1]
    right = torch.nn.functional.cross_entropy(torch.from_numpy(logits).movedim(-1, 1), torch.from_numpy(labels))
    assert mean_of(tmp_path, command)[1] == pytest.approx(right.item(), rel=1e-14)


@pytest.mark.parametrize("shape", [(10, 1), (1, 10)])
def test_an_axis_that_falls_away_is_shown(tmp_path, shape):
    """Who gave (N, 1) sees what was made of it."""
    np.save(tmp_path / "z.npy", LOGITS)
    np.save(tmp_path / "y.npy", LABELS.reshape(shape))
    ended = xent_here("compute", "z.npy", "y.npy", "--rows", "0", cwd=tmp_path)
    assert f"npy, stored as {shape[0]} × {shape[1]}" in ended.out
