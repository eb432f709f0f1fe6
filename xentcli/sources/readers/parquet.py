"""Parquet, through pyarrow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xentcli.sources.extras import import_extra
from xentcli.sources.readers.columns import BATCH_NUMBERS, arrays, batches, damage_told, numbers_of, parts, seekable
from xentcli.sources.saving import SinkFile

if TYPE_CHECKING:
    from collections.abc import Mapping

    from xentcli.numbers.arrays import Array
    from xentcli.sources.request import Request
    from xentcli.sources.saving import Sink
    from xentcli.sources.source import Source

READ_BYTES = 1 << 20


def read(source: Source, request: Request) -> list[Array]:
    """The columns that are asked for, in batches of about `BATCH_NUMBERS`."""
    with damage_told(source.path, "Parquet"):
        table = import_extra("arrow", ".parquet").ParquetFile(
            seekable(source), pre_buffer=False, buffer_size=READ_BYTES
        )
        schema = table.schema_arrow
        wanted = parts(source.path, schema, request)
        names = [name for part in wanted for name in part.columns]
        rows = max(1, BATCH_NUMBERS // _numbers_a_row(table, names))
        batches = table.iter_batches(rows, columns=names, use_threads=False)
        return arrays(source.path, "parquet", schema, batches, wanted)


def _numbers_a_row(table: Any, names: list[str]) -> int:
    """How many numbers the first row has, and so each; at least one.  A damaged file is not asked what it holds."""
    first = next(table.iter_batches(1, columns=names, use_threads=False), None)
    return sum(numbers_of(column) for column in first.columns) if first is not None and first.num_rows else 1


def write(sink: Sink, held: Mapping[str, Array]) -> None:
    """A column of lists and a column of labels."""
    tables = batches(held)
    with import_extra("arrow", ".parquet").ParquetWriter(SinkFile(sink), next(tables).schema) as writer:
        for batch in tables:
            writer.write_batch(batch)
