"""Runs that can be split or go on later: `--shard`, `--partial` and `--resume`."""

from __future__ import annotations

import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xentcli.cli.output import WholeFile
from xentcli.cli.terminal import remark
from xentcli.errors import InputError, UsageError
from xentcli.question.share import RowRange

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from xentcli.measuring.facts import Measured
    from xentcli.question.policy import Policy
    from xentcli.question.problem import Problem
    from xentcli.question.share import Share
    from xentcli.records.progress import Watcher
    from xentcli.records.report import Report
    from xentcli.running.opening import Elsewhere
    from xentcli.running.partial import Asked, Partial
    from xentcli.sources.named import NamedInputs

SAVE_SECONDS = 5.0  # between two saves of a run that can go on later


@dataclass(frozen=True)
class Parts:
    """The values of PART_OPTIONS."""

    share: Share | None
    partial: str | None
    resume: str | None

    @classmethod
    def of(cls, given: dict[str, Any]) -> Parts:
        """Take them out of those given; UsageError for other options that do not go with them."""
        parts = cls(given.pop("shard"), given.pop("partial"), given.pop("resume"))
        if (parts.partial is not None or parts.resume is not None) and given["reduction"] == "none":
            raise UsageError(
                "without a reduction there is nothing to add up",
                found="--reduction none with --partial or --resume",
                hint="--shard alone gives the losses of its rows",
            )
        if parts.share is not None and given["expect"] is not None:
            raise UsageError(
                "a claim is about all rows", found=f"--shard {parts.share} and --expect", hint="xent merge --expect"
            )
        return parts

    @property
    def wanted(self) -> bool:
        return any(each is not None for each in (self.share, self.partial, self.resume))

    def report(
        self,
        problem: Problem,
        policy: Policy,
        inputs: NamedInputs,
        *,
        threads: int | None,
        elsewhere: Elsewhere | None,
        progress: Watcher | None,
    ) -> Report:
        """The report on the share, after its facts were saved where they are wanted."""
        from xentcli.running.engine import with_causes

        problem = replace(problem, in_parts=True)
        with ExitStack() as stack:
            file = None if self.partial is None else stack.enter_context(WholeFile(Path(self.partial)))
            running: dict[str, Any] = {"threads": threads, "elsewhere": elsewhere, "progress": progress}
            computed = self._computed(problem, policy, inputs, **running)
            if file is not None:
                file.write(computed.to_bytes())
        return computed.report(
            "compute",
            policy.expect,
            self.share,
            lambda report: with_causes(report, problem, policy, progress, elsewhere),
        )

    def _computed(self, problem: Problem, policy: Policy, inputs: NamedInputs, **running: Any) -> Partial:
        from xentcli.running.engine import measure_rows
        from xentcli.running.partial import Asked, Partial

        asked = Asked.of(problem, policy)
        rows = RowRange(0, problem.samples) if self.share is None else self.share.rows(problem.sample_shape)
        partial_of = partial(Partial.of, asked, inputs, rows.start)
        if self.resume is None:
            return partial_of(measure_rows(problem, policy, rows, **running))
        begun = _begun(self.resume, problem, asked, rows, running["progress"])
        with _journal(self.resume, partial_of) as saved:
            facts = measure_rows(problem, policy, rows, begun, saved, **running)
        return partial_of(facts)


def _begun(path: str, problem: Problem, asked: Asked, rows: RowRange, progress: Watcher | None) -> Measured | None:
    """The facts that an earlier run saved; InputError where they are not of the first of these rows as they are now."""
    if not Path(path).exists():
        return None
    from xentcli.running.merging import check_numbers, check_same
    from xentcli.running.partial import read_partial
    from xentcli.running.reporting import this_tool

    saved = read_partial(path)
    wanted = replace(saved, tool=this_tool(), asked=asked)
    check_same((path, saved), ("this run", wanted))
    if saved.rows.start != rows.start or saved.rows.stop > rows.stop:
        raise InputError(
            "these facts are of other rows",
            at=path,
            found=str(saved.rows),
            expected=f"the first of {rows}",
            hint="each share needs a file of its own",
        )
    check_numbers((path, saved), problem, progress)
    return saved.facts


class Journal:
    """Takes the facts so far after each block, and saves them now and then in a file that is whole at any moment."""

    def __init__(self, path: str, partial: Callable[[Measured], Partial]) -> None:
        self.path = path
        self.latest: Measured | None = None
        self._partial = partial
        self._due = 0.0  # at once: a folder that cannot be written is told in the first second

    def __call__(self, facts: Measured) -> None:
        self.latest = facts
        if time.monotonic() >= self._due:
            self.save()
            self._due = time.monotonic() + SAVE_SECONDS

    def save(self) -> Partial | None:
        if self.latest is None:
            return None
        partial = self._partial(self.latest)
        with WholeFile(Path(self.path)) as file:
            file.write(partial.to_bytes())
        return partial


@contextmanager
def _journal(path: str, partial: Callable[[Measured], Partial]) -> Iterator[Journal]:
    """A journal that has all facts at the end, or what there is of them when the run is ended before."""
    journal = Journal(path, partial)
    try:
        yield journal
    except BaseException:
        saved = journal.save()
        if saved is not None:
            of = f"{saved.rows.stop - saved.rows.start:,} rows"
            remark(f"note: {path} has the facts of {of}; the same command goes on from there")
        raise
    journal.save()
