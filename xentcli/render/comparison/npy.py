"""The rows of a comparison as one array of records in the .npy format: `numpy.load` gives it its columns by name."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from numpy.lib.format import dtype_to_descr, write_array_header_1_0

from xentcli.records.pairs import every_row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xentcli.records.comparison import Comparison
    from xentcli.render.page import Page


def render(comparison: Comparison, _page: Page) -> Iterator[bytes]:
    """The header and then the records, some at a time; without labels there are no fields of losses."""
    (one,) = comparison.comparisons
    rows = every_row(one)
    header = io.BytesIO()
    shape = {"descr": dtype_to_descr(rows.dtype), "fortran_order": False, "shape": (len(rows),)}
    write_array_header_1_0(header, shape)
    yield header.getvalue()
    yield from (table.tobytes() for table in rows.tables())
