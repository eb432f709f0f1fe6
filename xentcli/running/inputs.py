"""What a run reads, whatever it is about: the engine's parts know no more of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self

    from xentcli.question.problem import Problem
    from xentcli.question.share import RowRange


class Inputs(Protocol):
    """What a run reads block by block: the logits of one problem, or of several over the same target."""

    @property
    def sides(self) -> tuple[Problem, ...]:
        """Each with its logits; their targets are the same."""

    @property
    def sample_shape(self) -> tuple[int, ...]: ...

    @property
    def samples(self) -> int: ...

    @property
    def classes(self) -> int: ...

    @property
    def sample_bytes(self) -> int: ...

    @property
    def block_bytes(self) -> int: ...

    @property
    def in_parts(self) -> bool: ...

    @property
    def streamed(self) -> bool: ...

    def spans(self, rows: RowRange | None = None) -> Iterator[tuple[int, int]]: ...

    def read_as(self, **how: Any) -> Self: ...
