"""Claimed losses of single samples: those of a file, or some that were typed."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from xentcli.errors import InputError, UsageError
from xentcli.numbers.precision import PRECISIONS
from xentcli.numbers.tensors import as_floats
from xentcli.question.claims import Claim, shortened

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from xentcli.numbers.arrays import Array

    Floats = NDArray[np.float64]

ROW = re.compile(r"(\d{1,18})=(.+)", re.ASCII | re.DOTALL)
EXPECTED = "ROW=VALUE, such as 3=1.27"


@dataclass(frozen=True, eq=False)
class RowClaims:
    """What is claimed of which rows, each up to half a unit of its last digit."""

    array: Array | None = None  # a loss for each sample
    typed: dict[int, Claim] = field(default_factory=dict)  # row -> what is claimed of it

    @classmethod
    def parse(cls, texts: Iterable[str]) -> RowClaims:
        """Of ROW=VALUE; UsageError for anything else, and for a row that is named twice."""
        typed: dict[int, Claim] = {}
        for text in texts:
            match = ROW.fullmatch(text.strip())
            if not match:
                raise UsageError("this claims nothing of a row", found=shortened(text), expected=EXPECTED)
            if int(match[1]) in typed:
                raise UsageError("two claims are of one row", found=f"row {match[1]}")
            typed[int(match[1])] = Claim.parse(match[2])
        return cls(typed=typed)

    def check(self, sample_shape: tuple[int, ...]) -> None:
        """InputError for a file of another shape than the samples, and for rows that there are not."""
        samples = math.prod(sample_shape)
        beyond = [row for row in self.typed if row >= samples]
        if beyond:
            raise UsageError("there is no such row", found=f"row {beyond[0]:,}", expected=f"0 to {samples - 1:,}")
        if self.array is None:
            return
        shape, kind = self.array.shape, self.array.kind.kind
        if kind not in "fiuV" or (shape != sample_shape and math.prod(shape) != samples):
            raise InputError(
                "the claimed losses do not fit the samples",
                at=self.array.path,
                found=f"{self.array.dtype} of shape {self.array.described()}",
                expected=f"a loss for each of {samples:,} samples, of shape {sample_shape}",
            )

    def tables(self) -> tuple[NDArray[np.int64], Floats, Floats]:
        """The rows, what is claimed of each, and half a unit of its last digit; 0 of NaN and infinities."""
        if self.array is None:
            rows = sorted(self.typed)
            claims = [self.typed[row] for row in rows]
            values = [float(claim.value) for claim in claims], [float(claim.half_unit) for claim in claims]
            return np.array(rows, np.int64), np.array(values[0]), np.array(values[1])
        given = as_floats(self.array.values.reshape(-1), self.array.path)
        values64 = given.double().numpy()
        return np.arange(len(values64)), values64, self._halves(self.array, values64)

    @staticmethod
    def _halves(array: Array, values: Floats) -> Floats:
        """Half a unit in the last place of the file's format; of text, in the last digit that is written."""
        if array.typed and not array.loose and array.dtype in PRECISIONS:
            precision = PRECISIONS[array.dtype]
            return np.array([precision.ulp(value) / 2.0 if math.isfinite(value) else 0.0 for value in values])
        return np.array([float(Claim.parse(repr(value)).half_unit) for value in values.tolist()])
