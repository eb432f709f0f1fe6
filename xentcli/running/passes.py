"""A pass over all samples, told to whoever waits for it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from xentcli.judging.meanwhile import meanwhile
from xentcli.records.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Callable

    from xentcli.judging.judge import Question
    from xentcli.measuring.facts import Measured
    from xentcli.records.progress import Watcher
    from xentcli.running.inputs import Inputs

    Found = Callable[[], str]


class Pass:
    """Tells a watcher how far a pass over a problem's samples is, from before its first block on."""

    def __init__(self, doing: str, problem: Inputs, watcher: Watcher | None, found: Found | None = None) -> None:
        self._doing, self._problem, self._watcher, self._found = doing, problem, watcher, found
        self.reached(0)

    def reached(self, samples: int, found: Found | None = None) -> None:
        """So many samples are done; `found` is what they give, if it is not known since before."""
        if self._watcher:
            size = samples * self._problem.sample_bytes
            self._watcher(Progress(self._doing, samples, self._problem.samples, bytes=size, found=found or self._found))

    def measured(self, facts: Measured, question: Question) -> None:
        """The samples of these facts are done."""
        self.reached(facts.samples, partial(meanwhile, facts, question))
