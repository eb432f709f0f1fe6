"""Parquet, through pyarrow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xentcli.sources.choosing import choose
from xentcli.sources.extras import import_extra
from xentcli.sources.oddity import sample_rows
from xentcli.sources.readers.columns import (
    BATCH_NUMBERS,
    arrays,
    batches,
    damage_told,
    header_of,
    numbers_of,
    refuse_twins,
    seekable,
)
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
        first = _first(table, sample_rows(len(schema.names)))
        header = header_of(source.path, schema, first)
        columns = choose(header, request).columns
        refuse_twins(header, columns)
        names = [header.names[column] for column in columns]
        rows = max(1, BATCH_NUMBERS // _numbers_a_row(first, names))
        batches = table.iter_batches(rows, columns=names, use_threads=False)
        return arrays("parquet", header, schema, batches, request)


def _first(table: Any, rows: int) -> Any:
    """The first rows, or None.  A damaged file is not asked what it holds."""
    first = next(table.iter_batches(rows, use_threads=False), None)
    if first is not None:
        first.validate(full=True)
    return first


def _numbers_a_row(first: Any, names: list[str]) -> int:
    """How many numbers the first row has, and so each; at least one."""
    if first is None or not first.num_rows:
        return 1
    return max(1, sum(numbers_of(first.column(name).slice(0, 1)) for name in names))


def write(sink: Sink, held: Mapping[str, Array]) -> None:
    """A column of lists and a column of labels."""
    tables = batches(held)
    with import_extra("arrow", ".parquet").ParquetWriter(SinkFile(sink), next(tables).schema) as writer:
        for batch in tables:
            writer.write_batch(batch)
