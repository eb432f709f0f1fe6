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

    from xentcli.question.policy import Policy
    from xentcli.question.problem import Problem
    from xentcli.question.share import Share
    from xentcli.records.progress import Watcher
    from xentcli.records.report import Report
    from xentcli.running.inputs import Inputs
    from xentcli.running.opening import Elsewhere
    from xentcli.running.partial import Partial
    from xentcli.sources.named import NamedInputs

SAVE_SECONDS = 5.0  # between two saves of a run that can go on later, at least
SAVE_TIMES = 20.0  # as long as a save took, so that saving the rows of a comparison takes a twentieth at most


@dataclass(frozen=True)
class Work:
    """What can be computed in parts, and how partials of it are made."""

    problem: Inputs
    asked: Any
    inputs: Any  # the names of the files, as a partial holds them
    partial_of: Callable[[Any, Any, int, Any], Any]  # of what was asked, the names, the first row and the facts
    read: Callable[[str], Any]
    measure: Callable[..., Any]  # the facts of rows, from those that are there on; tells a journal of them


@dataclass(frozen=True)
class Parts:
    """The values of PART_OPTIONS."""

    share: Share | None
    partial: str | None
    resume: str | None

    @classmethod
    def of(cls, given: dict[str, Any]) -> Parts:
        """Take them out of those given; UsageError for other options of a loss that do not go with them."""
        parts = cls.taken(given)
        if (parts.partial is not None or parts.resume is not None) and given["reduction"] == "none":
            raise UsageError(
                "without a reduction there is nothing to add up",
                found="--reduction none with --partial or --resume",
                hint="--shard alone gives the losses of its rows",
            )
        claim = next((name for name in ("expect", "expect_bpb") if given[name] is not None), None)
        if parts.share is not None and claim is not None:
            option = f"--{claim.replace('_', '-')}"
            found = f"--shard {parts.share} and {option}"
            raise UsageError("a claim is about all rows", found=found, hint=f"xent merge {option}")
        if parts.wanted and given["calibrate"]:
            raise UsageError(
                "the best temperature takes all rows some ten times",
                found="--shard, --partial or --resume with --calibrate",
                hint="leave --calibrate out, or the shard: --jobs and --cluster go with it",
            )
        return parts

    @classmethod
    def taken(cls, given: dict[str, Any]) -> Parts:
        """Out of those given."""
        return cls(given.pop("shard"), given.pop("partial"), given.pop("resume"))

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
        """The report on the share of a loss, after its facts were saved where they are wanted."""
        from xentcli.running.beside import Beside
        from xentcli.running.engine import check, measure_rows, with_causes
        from xentcli.running.partial import Asked, Partial
        from xentcli.running.reading import read_partial
        from xentcli.running.reporting import About

        problem = replace(problem, in_parts=True)
        check(problem, policy)
        beside = Beside.of(About.of(problem, policy), policy)
        measure = partial(measure_rows, problem, policy, threads=threads, elsewhere=elsewhere, progress=progress)
        work = Work(problem, Asked.of(problem, policy, beside), inputs, Partial.of, read_partial, measure)
        computed: Partial = self.computed(work, progress)
        return computed.report(
            "compute",
            policy.expect,
            self.share,
            lambda report: with_causes(report, problem, policy, progress, elsewhere),
            expect_bpb=policy.expect_bpb,
            beside=beside,
        )

    def computed(self, work: Work, progress: Watcher | None) -> Any:
        """The partial of the share, which was saved where that is wanted."""
        with ExitStack() as stack:
            file = None if self.partial is None else stack.enter_context(WholeFile(Path(self.partial)))
            computed = self._computed(work, progress)
            if file is not None:
                file.write_all(computed.pieces())
        return computed

    def _computed(self, work: Work, progress: Watcher | None) -> Any:
        problem = work.problem
        rows = RowRange(0, problem.samples) if self.share is None else self.share.rows(problem.sample_shape)
        partial_of = partial(work.partial_of, work.asked, work.inputs, rows.start)
        if self.resume is None:
            return partial_of(work.measure(rows))
        begun = _begun(self.resume, work, rows, progress)
        with _journal(self.resume, partial_of) as saved:
            facts = work.measure(rows, begun, saved)
        return partial_of(facts)


def _begun(path: str, work: Work, rows: RowRange, progress: Watcher | None) -> Any:
    """The facts that an earlier run saved; InputError where they are not of the first of these rows as they are now."""
    if not Path(path).exists():
        return None
    from xentcli.running.merging import check_numbers, check_same
    from xentcli.running.reporting import this_tool

    saved = work.read(path)
    wanted = replace(saved, tool=this_tool(), asked=work.asked)
    check_same((path, saved), ("this run", wanted))
    if saved.rows.start != rows.start or saved.rows.stop > rows.stop:
        raise InputError(
            "these facts are of other rows",
            at=path,
            found=str(saved.rows),
            expected=f"the first of {rows}",
            hint="each share needs a file of its own",
        )
    check_numbers((path, saved), work.problem, progress)
    return saved.facts


class Journal:
    """Takes the facts so far after each block, and saves them now and then in a file that is whole at any moment."""

    def __init__(self, path: str, partial: Callable[[Any], Any]) -> None:
        self.path = path
        self.latest: Any = None
        self._partial = partial
        self._due = 0.0  # at once: a folder that cannot be written is told in the first second

    def __call__(self, facts: Any) -> None:
        self.latest = facts
        begun = time.monotonic()
        if begun >= self._due:
            self.save()
            now = time.monotonic()
            self._due = now + max(SAVE_SECONDS, SAVE_TIMES * (now - begun))

    def save(self) -> Any:
        """The partial that was saved; None where there are no facts yet."""
        if self.latest is None:
            return None
        partial = self._partial(self.latest)
        with WholeFile(Path(self.path)) as file:
            file.write_all(partial.pieces())
        return partial


@contextmanager
def _journal(path: str, partial: Callable[[Any], Any]) -> Iterator[Journal]:
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
