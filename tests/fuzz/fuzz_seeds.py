"""Whole small files of every form that xent reads, to be damaged: each written by the library whose form it is."""

from __future__ import annotations

import bz2
import io
import json
import pickle
import tempfile
from contextlib import chdir
from pathlib import Path

import format_files as files
import h5py
import joblib
import numpy as np
import onnx
import pyarrow as pa
import safetensors.numpy
import torch

from xentcli.cli.main import xent as group
from xentcli.cli.settings import NEVER, OWN_NAME

LOGITS = np.arange(12, dtype=np.float32).reshape(4, 3) / 8
LABELS = np.array([0, 2, 1, 1])
ROWS = [[0.5, -1.25, 2e-3], [1.0, 0.0, -7.5], [3.25, 1.5, 0.125]]
NAMED = {"logits": LOGITS, "labels": LABELS}


def _saved(save: object, *arguments: object, **settings: object) -> bytes:
    file = io.BytesIO()
    save(file, *arguments, **settings)  # type: ignore[operator]
    return file.getvalue()


def _hdf5(**settings: object) -> bytes:
    file = io.BytesIO()
    with h5py.File(file, "w") as held:
        held.create_dataset("logits", data=LOGITS, **settings)
        held.create_dataset("group/labels", data=LABELS)
        held["labels"] = LABELS
        held["logits"].attrs["unit"] = "nats"
    return file.getvalue()


def _joblib(content: object, **settings: object) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        joblib.dump(content, Path(folder, "a"), **settings)
        return Path(folder, "a").read_bytes()


def _table(**columns: object) -> pa.Table:
    return pa.table(columns)


def _wide() -> pa.Table:
    return _table(**{str(column): LOGITS[:, column] for column in range(3)}, label=LABELS)


def _words() -> pa.Table:
    return _table(cat=LOGITS[:, 0], dog=LOGITS[:, 1], label=pa.array(["cat", "dog", "cat", "dog"]).dictionary_encode())


def _named_rows() -> list[dict[str, object]]:
    return [{"logits": row, "label": place} for place, row in enumerate(ROWS)]


def _partial(*command: str) -> bytes:
    """As the command writes it, of half an input, whose sums of labels wait for the other half."""
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        np.save("z.npy", LOGITS)
        np.save("y.npy", LABELS)
        np.save("x.npy", LOGITS[:, ::-1])
        arguments = [*command, "--shard", "2/2", "--partial", "p.json", "-qq", "--isolated"]
        group.main(arguments, standalone_mode=False)
        return Path("p.json").read_bytes()


def _settings() -> list[bytes]:
    first = "[tool.xent]\nrtol = 1e-5\nreduction = 'sum'\nrows = 4\n[tool.xent.random]\nscale = 2.5\n"
    every = "".join(f"{key} = 'x'\n" for key in NEVER)
    many = (
        "[tool]\nxent = {strict = true, rows = 0x10, block-bytes = '4MiB'}\n[[other]]\na = [1, [2, {b = 1979-05-27}]]\n"
    )
    return [text.encode() for text in (first, f"[tool.xent]\n{every}", many)]


def seeds() -> dict[str, list[bytes]]:
    """Form -> its files; those of one form are all asked for in the same way."""
    csv = "".join(",".join(map(repr, row)) + "\n" for row in ROWS)
    pairs = _named_rows()
    columns = {"a": [1.0, 2.0], "b": [0.5, 0.25], "label": [0, 1]}
    by_index = {"a": {"0": 1.5, "1": 2.0}, "b": {"0": 3.0, "1": 4.0}, "label": {"0": 1, "1": 0}}
    answers = [{"loss": "a.npy"}, {"error": "x", "changed": ["logits"]}, {"unsupported": "y"}]
    pt = [
        files.pt(torch.from_numpy(LOGITS)),
        files.pt({"logits": torch.from_numpy(LOGITS).T, "labels": torch.from_numpy(LABELS)}),
        files.pt({"model": {"logits": [torch.ones(2, 3, dtype=torch.bfloat16)] * 2, "labels": LABELS}, "n": [1, 2.5]}),
    ]
    arrow = [files.feather(_wide()), files.arrow_stream(_wide()), files.arrow_stream(files.table(LOGITS, LABELS))]
    arrow += [files.feather(_words()), files.feather(files.table(LOGITS, LABELS))]
    parquet = [files.parquet(_wide()), files.parquet(files.table(LOGITS, LABELS), compression="zstd")]
    parquet += [files.parquet(_words()), files.parquet(_wide(), compression="none", row_group_size=2)]
    pickles = [pickle.dumps(NAMED, protocol) for protocol in range(2, 6)]
    pickles += [pickle.dumps([(LOGITS, LABELS), (LOGITS, LABELS)]), pickle.dumps({"logits": ROWS, "labels": [0, 1, 2]})]
    return {
        "npy": [files.npy(LOGITS), files.npy(np.asfortranarray(LOGITS)), files.npy(LABELS) + files.npy(LOGITS),
                _saved(np.save, np.array([LOGITS, None], object), allow_pickle=True)],
        "npz": [files.npz(LOGITS, LABELS), files.npz(LOGITS, LABELS, np.savez_compressed)],
        "csv": [csv.encode(), ("cat,dog,label\n" + csv).encode(), b'"a";"b";"label"\n1,5;2,5;1\n-3,25;0,5;0\n'],
        "tsv": [csv.replace(",", "\t").encode(), b"\xef\xbb\xbfid\tx\ty\tlabel\nu1\t.5\t1e3\t0\nu2\tnan\t-inf\t1\n",
                csv.encode("utf-16")],
        "txt": [csv.replace(",", "  ").encode(), b"# rows\n0\n2\n1\n1\n", b"[1.0, 2.0],0\n[3.5, -1],1\n",
                b'"x","y"\n"r1",1,2\n"r2",3,4\n'],
        "json": [json.dumps(content).encode() for content in
                 (ROWS, columns, pairs, by_index,
                  {"columns": ["a", "label"], "index": [0, 1], "data": [[1.5, 0], [2.5, 1]]})]
                + [json.dumps(pairs, indent=2).encode()],
        "jsonl": ["".join(json.dumps(row) + "\n" for row in rows).encode() for rows in (ROWS, pairs)],
        "pt": pt,
        "safetensors": [safetensors.numpy.save(NAMED), safetensors.numpy.save({"logits": LOGITS}, {"format": "pt"})],
        "arrow": arrow,
        "parquet": parquet,
        "pb": [files.proto(LOGITS), files.proto(LABELS),
               onnx.helper.make_tensor("x", onnx.TensorProto.INT32, [4], [0, 2, 1, 1]).SerializeToString(),
               onnx.helper.make_tensor("x", onnx.TensorProto.FLOAT, [4, 3], LOGITS.reshape(-1)).SerializeToString()],
        "hdf5": [_hdf5(), _hdf5(compression="gzip", chunks=(2, 3), shuffle=True, fletcher32=True)],
        "llama.cpp": [files.kld([(np.arange(6), LOGITS[:2]), (np.arange(6) % 3, LOGITS[2:])]),
                      files.kld([(np.arange(4), LOGITS[:1, :2])])],
        "pickle": [*pickles, _joblib(NAMED), _joblib([LOGITS, LABELS], compress=("zlib", 3))],
        "packed": [pack(csv.encode()) for pack in files.PACKERS.values()] + [bz2.compress(csv.encode())]
                  + [files.PACKERS["gz"](files.npy(LOGITS)) + files.PACKERS["gz"](b"")],
        "manifest": [b"a.npy\nb.npy\n", b"# two of them\n  a.npy  \n./b.npy\na.npy\n", b"b.npy:logits\n/etc/passwd\n"],
        "partial": [_partial("compute", "z.npy", "y.npy")],
        "partial with rows": [_partial("compute", "z.npy", "y.npy", "--by", "class"),
                              _partial("compute", "z.npy", "y.npy", "--metrics", "--bytes", "9")],
        "partial of a comparison": [_partial("compare", "z.npy", "z.npy", "x.npy", "--group", "2")],
        "settings": _settings(),
        "expected failures": [b"plain  known\n# a comment\nsmoke/*  later\n", b"*  all of them # for now\n"],
        "answer": [files.npy(np.float32(1.5)), files.npy(LOGITS), files.npy(LABELS.astype(np.float16))],
        "answer's line": [json.dumps({"id": 7} | line).encode() for line in answers],
    }  # fmt: skip


SETTINGS_NAME = OWN_NAME
