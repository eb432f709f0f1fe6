"""The losses of all samples as one array of records in the .npy format: `numpy.load` gives it its columns by name."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from numpy.lib.format import dtype_to_descr, write_array_header_1_0

from xentcli.records.samples import every_sample

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xentcli.records.report import Report
    from xentcli.render.page import Page


def render(report: Report, _page: Page) -> Iterator[bytes]:
    """The header and then the records, some at a time; what is not known of any sample has no field."""
    samples = every_sample(report)
    header = io.BytesIO()
    shape = {"descr": dtype_to_descr(samples.dtype), "fortran_order": False, "shape": (len(samples),)}
    write_array_header_1_0(header, shape)
    yield header.getvalue()
    yield from (rows.tobytes() for rows in samples.tables())
