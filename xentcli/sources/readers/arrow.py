"""Arrow's files (Feather among them) and streams, through pyarrow."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any

from xentcli.sources.extras import import_extra
from xentcli.sources.oddity import sample_rows
from xentcli.sources.readers.columns import arrays, batches, damage_told, header_of, seekable
from xentcli.sources.saving import SinkFile

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from xentcli.numbers.arrays import Array
    from xentcli.sources.request import Request
    from xentcli.sources.saving import Sink
    from xentcli.sources.source import Source

FILE_MARK = b"ARROW1"


def read(source: Source, request: Request) -> list[Array]:
    """The columns that are asked for, batch by batch as they were written."""
    is_file = source.stream.peek(len(FILE_MARK)) == FILE_MARK
    with damage_told(source.path, "Arrow"):
        ipc = import_extra("arrow", ".ipc")
        table = (ipc.open_file if is_file else ipc.open_stream)(seekable(source))
        held = iter(_batches(table) if is_file else table)
        first = next(held, None)
        if first is not None:
            first.validate(full=True)
        sample = None if first is None else first.slice(0, sample_rows(len(table.schema.names)))
        header = header_of(source.path, table.schema, sample)
        return arrays("arrow", header, table.schema, chain([first] * (first is not None), held), request)


def _batches(table: Any) -> Iterator[Any]:
    return (table.get_batch(number) for number in range(table.num_record_batches))


def write(sink: Sink, held: Mapping[str, Array]) -> None:
    """A column of lists and a column of labels, as an Arrow file."""
    tables = batches(held)
    with import_extra("arrow", ".ipc").new_file(SinkFile(sink), next(tables).schema) as writer:
        for batch in tables:
            writer.write_batch(batch)
