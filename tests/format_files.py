"""One small file of every format, each written by the library whose format it is, and none by the code under test."""

from __future__ import annotations

import gzip
import io
import json
import lzma
import math
import struct
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import safetensors.numpy
import torch
import zstandard

if TYPE_CHECKING:
    from collections.abc import Callable

Array = np.ndarray[Any, np.dtype[Any]]
PACKERS = {
    "gz": partial(gzip.compress, mtime=0),
    "xz": lambda raw: lzma.compress(raw, preset=0),
    "zst": zstandard.ZstdCompressor(write_checksum=True).compress,
}


def table(logits: Array, labels: Array) -> pa.Table:
    lists = pa.FixedSizeListArray.from_arrays(pa.array(logits.reshape(-1)), logits.shape[1])
    return pa.table({"logits": lists, "labels": labels})


def npz(logits: Array, labels: Array, save: Callable[..., None] = np.savez) -> bytes:
    file = io.BytesIO()
    save(file, logits=logits, labels=labels)
    return file.getvalue()


def npy(array: Array) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def pt(content: object) -> bytes:
    file = io.BytesIO()
    torch.save(content, file)
    return file.getvalue()


def parquet(content: pa.Table, **settings: Any) -> bytes:
    file = io.BytesIO()
    pyarrow.parquet.write_table(content, file, **settings)
    return file.getvalue()


def feather(content: pa.Table) -> bytes:
    file = io.BytesIO()
    pyarrow.feather.write_feather(content, file)
    return file.getvalue()


def arrow_stream(content: pa.Table) -> bytes:
    file = io.BytesIO()
    with pa.ipc.new_stream(file, content.schema) as writer:
        writer.write_table(content)
    return file.getvalue()


def jsonl(logits: Array, labels: Array) -> bytes:
    rows = zip(logits.tolist(), labels.tolist(), strict=True)
    return "".join(json.dumps({"logits": row, "label": label, "note": "x"}) + "\n" for row, label in rows).encode()


def csv(logits: Array) -> bytes:
    return "".join(",".join(map(repr, row)) + "\n" for row in logits.tolist()).encode()


def proto(array: Array) -> bytes:
    return onnx.numpy_helper.from_array(array, "x").SerializeToString()


def quantised(logits: Array) -> bytes:
    """A row of llama.cpp's file as its `log_softmax` in tools/perplexity makes it, in float32 as there."""
    greatest = logits.max()
    lowest = max(logits.min(), np.float32(greatest - np.float32(16)))
    log_sum = np.float32(math.log(np.exp(logits - greatest).astype(np.float64).sum()))
    scale = np.float32((greatest - lowest) / np.float32(65535))
    steps = np.zeros(len(logits), "<u2")
    if scale:
        inverse = np.float32(1) / scale
        steps = np.where(logits > lowest, np.rint(inverse * (logits - lowest)), 0).astype("<u2")
    filler = b"\0\0" * (len(logits) % 2)
    return struct.pack("<ff", scale, np.float32(lowest - greatest) - log_sum) + steps.tobytes() + filler


def kld(chunks: list[tuple[Array, Array]]) -> bytes:
    """The file of these chunks: tokens int32 [n_ctx], and the logits float32 [n_ctx - 1 - n_ctx // 2, classes]."""
    context, classes = len(chunks[0][0]), chunks[0][1].shape[1]
    raw = b"_logits_" + struct.pack("<iii", context, classes, len(chunks))
    raw += b"".join(tokens.astype("<i4").tobytes() for tokens, _ in chunks)
    return raw + b"".join(quantised(row) for _, logits in chunks for row in logits)


# Files that hold the logits and the labels, with their very types.
BOTH: dict[str, Callable[[Array, Array], bytes]] = {
    "npz": npz,
    "npz, compressed": lambda x, y: npz(x, y, np.savez_compressed),
    "safetensors": lambda x, y: safetensors.numpy.save({"logits": x, "labels": y}),
    "pt": lambda x, y: pt({"logits": torch.from_numpy(x), "labels": torch.from_numpy(y)}),
    "parquet": lambda x, y: parquet(table(x, y)),
    "parquet of many groups": lambda x, y: parquet(table(x, y), row_group_size=2, compression="zstd"),
    "feather": lambda x, y: feather(table(x, y)),
    "arrow stream": lambda x, y: arrow_stream(table(x, y)),
}
# Files that hold one array, with its type.
ONE: dict[str, Callable[[Array], bytes]] = {
    "npy": npy,
    "npz": lambda x: npz(x, x[:1]),
    "safetensors": lambda x: safetensors.numpy.save({"only": x}),
    "pt": lambda x: pt(torch.from_numpy(x)),
    "pb": proto,
    "pb with typed data": lambda x: onnx.helper.make_tensor(
        "x", onnx.helper.np_dtype_to_tensor_dtype(x.dtype), x.shape, x.reshape(-1)
    ).SerializeToString(),
}
