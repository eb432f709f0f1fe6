"""The whole pipeline: blocks, facts, verdict, report."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial, reduce
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from xentcli.bounds.probe import check_log_sums, check_paths, check_product, check_transform
from xentcli.diagnose.answer import answered
from xentcli.diagnose.verdict import Judged
from xentcli.errors import UsageError
from xentcli.judging.judge import Question, judge
from xentcli.judging.picturing import reliability
from xentcli.losses.kernels import check_kernels
from xentcli.losses.machine import subnormals_kept
from xentcli.measuring.case import Case
from xentcli.measuring.each_row import Gathered
from xentcli.measuring.measure import measure, measure_head
from xentcli.measuring.paths import Part
from xentcli.measuring.reduce import Reduction, with_reductions, with_streamed_reductions
from xentcli.numbers.precision import PRECISIONS
from xentcli.question.problem import BLOCK_BYTES
from xentcli.records.metrics import Metrics
from xentcli.records.report import QUANTISED
from xentcli.running.aside import Aside
from xentcli.running.beside import Beside
from xentcli.running.drawing import drawn
from xentcli.running.opening import Team
from xentcli.running.passes import Pass
from xentcli.running.pipeline import batches, in_order
from xentcli.running.reporting import About, make_report, this_tool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from xentcli.measuring.facts import Measured
    from xentcli.question.claims import Claim
    from xentcli.question.policy import Policy
    from xentcli.question.problem import Problem
    from xentcli.question.rowclaims import RowClaims
    from xentcli.question.share import RowRange
    from xentcli.records.progress import Watcher
    from xentcli.records.report import Cause, Report
    from xentcli.running.opening import Elsewhere
    from xentcli.running.pipeline import Crew

    Journal = Callable[[Measured], object]
    Span = tuple[int, int]

SMALL_INPUT = 16_384  # logits of which every loss is enclosed exactly, in a fraction of a second
ESCALATED_INPUT = 1 << 20  # logits up to which an open question is decided exactly, in some seconds
SMALL_STEPS, ESCALATED_STEPS = 1 << 21, 1 << 24  # the same of multiplications, where logits are a product
MOST_STEPS = 1 << 30  # that are done exactly where the user asks for it: minutes
EXACT_BITS = 128  # for the 30 digits printed of a small input, with some to spare
BATCH_BYTES = 64 << 20  # logits that another process is sent for at once: asking must not take longer than computing


def run(
    problem: Problem,
    policy: Policy,
    *,
    seed: int | None = None,
    threads: int | None = None,
    elsewhere: Elsewhere | None = None,
    progress: Watcher | None = None,
    claims: RowClaims | None = None,
) -> Report:
    """The report on a problem; what one float64 pass leaves open is decided by exact arithmetic where that is quick.

    threads    blocks computed at once, None as many as torch has threads; the report does not depend on it
    elsewhere  processes that compute the blocks of a streamed input instead; the report does not depend on them
    progress   is told how far each pass over the blocks is, in this thread
    claims     losses that are claimed of rows, which the report then judges
    """
    policy = _with_pictures(problem, policy)
    if policy.draws and problem.product is None:
        problem = problem.read_as(digested=True)
    check(problem, policy)
    if claims is not None:
        policy = _for_claims(problem, policy, claims)
    beside = Beside.of(About.of(problem, policy), policy)
    team = _team(problem, policy, threads, elsewhere)
    task = Task(problem, policy, exact_bits(problem, policy), keeps_addends=problem.keeps_addends)
    measured = task.measured(team, Pass("computing", problem, progress))
    report = _report(task, measured, seed)
    is_open = report.verdict == "undecided" or (report.expectation is not None and report.expectation.holds is None)
    if is_open and _is_quick(problem):
        task = replace(task, bits=EXACT_BITS)
        measured = task.measured(team, Pass("deciding exactly", problem, progress))
        report = _report(task, measured, seed)
    report = beside.told(report, measured)
    if measured.predictions is not None and not problem.in_parts and (policy.calibrate or _is_quick(problem)):
        report = _with_temperature(report, team, threads)
    if claims is not None:
        from xentcli.running.rowclaims import judged_rows

        report = judged_rows(report, claims, np.concatenate(measured.allowances), problem)
    return answered(with_causes(report, problem, policy, progress, elsewhere))


def _is_quick(problem: Problem) -> bool:
    """Whether some more passes take some seconds at the most."""
    return problem.samples * problem.classes <= ESCALATED_INPUT and problem.steps <= ESCALATED_STEPS


def _for_claims(problem: Problem, policy: Policy, claims: RowClaims) -> Policy:
    """The policy of a run that judges claims about rows; UsageError where it cannot."""
    if problem.options.reduction != "none" or policy.reference == "off":
        raise UsageError(
            "claims about rows need the true loss of each",
            found=f"--reduction {problem.options.reduction}, --reference {policy.reference}",
            hint="--reduction none",
        )
    claims.check(problem.sample_shape)
    return replace(policy, keeps_allowances=True)


def measure_rows(
    problem: Problem,
    policy: Policy,
    rows: RowRange,
    begun: Measured | None = None,
    journal: Journal | None = None,
    *,
    threads: int | None = None,
    elsewhere: Elsewhere | None = None,
    progress: Watcher | None = None,
) -> Measured:
    """The facts of some rows of a problem computed in parts, ready to be added to those of the rows beside them.

    rows     entries of the batch axis in whole
    begun    the facts of the first of these rows, from a run that was interrupted; they are not computed again
    journal  is given the facts so far after each block, or after each batch of blocks from elsewhere
    The other arguments are those of `run`.
    """
    check(problem, policy)
    task = Task(problem, policy, exact_bits(problem, policy), rows.start)
    left = rows if begun is None else replace(rows, start=rows.start + begun.samples)
    if begun is not None and left.start == left.stop:
        return begun
    team = _team(problem, policy, threads, elsewhere)
    return task.streamed(left, team, Pass("computing", problem, progress), begun, journal)


def _check_kernels(problem: Problem) -> None:
    """CertificateError where numpy's or torch's kernels are not those of the proofs."""
    check_kernels(caps=problem.options.softcap is not None)
    device = problem.options.device
    kernel: Literal["last", "inner"] = "last" if problem.logits.ndim <= 2 else "inner"
    check_paths(problem.dtype, kernel, device)
    if problem.options.z_loss is not None:
        check_log_sums(problem.dtype, kernel, device)
    if problem.options.transform is not None:
        check_transform(problem.dtype, problem.options.transform, device)
    if problem.product is not None:
        check_product(problem.dtype)


def check(problem: Problem, policy: Policy) -> None:
    """Errors for what cannot be asked of this problem, and on this machine; before anything is computed."""
    if policy.reference != "off":
        _check_kernels(problem)
    elif not problem.has_labels:
        problem.head()  # refuses scores that were taken for probabilities; the certified pass looks at it anyway
    if policy.metrics:
        _check_metrics(problem)
    if policy.expect is not None and problem.options.reduction == "none":
        raise UsageError(
            "without a reduction there is no total to expect",
            found="--reduction none and --expect",
            hint="a file of losses, one a sample, or --expect-row ROW=VALUE",
        )


def _with_pictures(problem: Problem, policy: Policy) -> Policy:
    """The policy with what a page draws; as it was where the input has no metrics, so that the page says less."""
    if not policy.draws or policy.reference == "off":
        return policy
    try:
        _check_metrics(problem)
    except UsageError:
        return policy
    return drawn(problem, policy)


def _check_metrics(problem: Problem) -> None:
    """UsageError where there are no labels to be right about, or no logits that are known as they were."""
    if not problem.has_labels:
        raise UsageError(
            "metrics are of labels", found="target probabilities", hint="leave --metrics out, or give class indices"
        )
    if problem.product is not None:
        raise UsageError(
            "metrics are of logits that are stored, and --head makes them of hidden states",
            found="--metrics, --by, --group, --bytes or --calibrate beside --head",
            hint="leave the metrics out: loss, accuracy and perplexity are always there",
        )
    changed = " and ".join(name for name, value in problem.options.of_logits.items() if value is not None)
    if changed:
        raise UsageError(
            "metrics are of the logits as they are stored, and of their cross-entropy",
            found=f"--metrics, --by, --group, --bytes or --calibrate beside {changed}",
            hint=f"leave {changed} out, or the metrics",
        )
    if problem.options.input != "logits" or problem.options.binary or problem.logits.format == QUANTISED:
        found = "--binary" if problem.options.binary else f"{problem.logits.format}, --input {problem.options.input}"
        raise UsageError("metrics are of logits, one a class", found=found, hint="leave --metrics out")


def _team(problem: Problem, policy: Policy, threads: int | None, elsewhere: Elsewhere | None) -> Team:
    """Who computes; the workers certify where a reference is wanted."""
    return Team.of(problem, threads, elsewhere, certified=policy.reference != "off")


@dataclass(frozen=True)
class Task:
    """What is asked of every block."""

    problem: Problem
    policy: Policy
    bits: int | None
    first_row: int = 0  # of those that are asked for
    keeps_addends: bool = False  # of a streamed input, for torch's own totals
    gathered: Gathered | None = None  # where threads put what is kept of each row; None of other processes

    def measured(self, team: Team, told: Pass) -> Measured:
        """The facts of the whole input."""
        if team.opening is None and self.policy.metrics and not self._keeps_rows:
            return replace(self, gathered=Gathered(self.problem.samples, self.problem.classes))._of_all(team, told)
        return self._of_all(team, told)

    def _of_all(self, team: Team, told: Pass) -> Measured:
        if self.problem.streamed:
            total = self.streamed(None, team, told)
            return self._with_streamed_reductions(total).chosen(self.policy.rows)
        whole = Part.whole(self.problem)
        with team.start() as crew:
            total = self.total(self._cut(whole, crew), told)
        return self._with_reductions(total, whole).chosen(self.policy.rows)

    def streamed(
        self,
        rows: RowRange | None,
        team: Team,
        told: Pass,
        begun: Measured | None = None,
        journal: Journal | None = None,
    ) -> Measured:
        """The facts of these rows, or of all, each block read as it is computed."""
        with team.start() as crew:
            first_row = rows.start if rows else 0
            return self.total(team.measured(crew, self._calls(rows, team), first_row), told, begun, journal)

    def total(
        self, blocks: Iterable[Measured], told: Pass, begun: Measured | None = None, journal: Journal | None = None
    ) -> Measured:
        """The facts of all blocks, which add up exactly; those of every sample are kept aside."""
        aside = Aside(self.problem, () if begun is None else begun.ordered, self.gathered)
        total = None if begun is None else replace(begun, ordered=())
        for block in blocks:
            facts = aside.taken_from(block)
            total = facts.bounded() if total is None else self._added(total, facts).bounded()
            told.measured(total, self.question)
            if journal:
                journal(replace(total, ordered=aside.ordered))
        assert total is not None  # there is at least one block
        return aside.given_to(total)

    def batch(self, spans: Iterable[Span]) -> Measured:
        """The facts of some blocks of a streamed input, one after the other."""
        blocks = (self._measure(Part.read(self.problem, *span, keeps_addends=self.keeps_addends)) for span in spans)
        return reduce(self._added, blocks)

    def _calls(self, rows: RowRange | None, team: Team) -> Iterator[tuple[Any, ...]]:
        """What asks for the facts of each block, or of each batch of blocks from elsewhere."""
        asked = {name: value for name, value in vars(self).items() if name != "problem"}
        blocks = 1 if team.opening is None else max(1, BATCH_BYTES // self.problem.block_bytes)
        for spans in batches(self.problem.spans(rows), blocks):
            yield facts_of, asked, spans

    def _cut(self, whole: Part, crew: Crew) -> Iterator[Measured]:
        """The facts of each block, cut out of what torch gave the whole input, by all its threads."""
        calls = [partial(self._measure, whole.part(*span)) for span in self.problem.spans()]
        return (call() for call in calls) if len(calls) == 1 else in_order(crew, calls)

    def _added(self, total: Measured, more: Measured) -> Measured:
        return (total + more).candidates(self._shown)

    def _measure(self, part: Part) -> Measured:
        measured = measure(
            part,
            self.policy,
            shown=self._shown,
            bits=self.bits,
            as_rows=self._keeps_rows,
            gathered=self.gathered,
        )
        if measured.traits is None or part.case.block.first_row:
            return measured
        head = Case(self.problem.head(), self.problem.options)  # a close look at the first samples comes with row 0
        return replace(measured, traits=measured.traits + measure_head(head))

    def _with_reductions(self, measured: Measured, whole: Part) -> Measured:
        """With what is no sum over blocks: torch's own reduction."""
        if self.problem.options.reduction == "none":
            return measured
        return with_reductions(measured, whole, certified=self.policy.reference != "off")

    def _with_streamed_reductions(self, measured: Measured) -> Measured:
        """With torch's own reduction, taken block by block."""
        if self.problem.options.reduction == "none":
            return measured
        about = About.of(self.problem, self.policy)
        asked = Reduction.asked(about.options, about.kind, about.classes).in_format(self.problem.formats.losses)
        return with_streamed_reductions(measured, asked)

    @property
    def question(self) -> Question:
        return Question(self.problem.options.reduction, PRECISIONS[self.problem.dtype], self.policy)

    @property
    def _keeps_rows(self) -> bool:
        """Whether what metrics keep of each row is for more than the order of all rows."""
        return self.problem.in_parts or self.policy.keeps_scores or self.policy.bytes is not None

    @property
    def _shown(self) -> int:
        """Samples below this row are wanted in tables."""
        return self.first_row + self.policy.rows


def facts_of(problem: Problem, asked: dict[str, Any], spans: Iterable[Span]) -> Measured:
    """What a worker is asked for: the facts of some blocks; `asked` is what else makes a `Task`."""
    return Task(problem, **asked).batch(spans)


def _report(task: Task, measured: Measured, seed: int | None) -> Report:
    with subnormals_kept():
        return make_report(
            About.of(task.problem, task.policy, seed),
            Judged(measured, judge(measured, task.question), task.question),
            tool=this_tool(),
            command="compute" if seed is None else "random",
        )


def _with_temperature(report: Report, team: Team, threads: int | None) -> Report:
    """With the best temperature, which takes some ten passes more."""
    from xentcli.running.calibrating import calibrated

    found = team.once(calibrated, threads if team.opening is None else 1)
    if found is None or report.pictures is None:
        return report
    pictures = replace(report.pictures, reliability_tempered=reliability(found.bins))
    return replace(report, metrics=Metrics((report.metrics or {}) | found.metrics), pictures=pictures)


def with_causes(
    report: Report, problem: Problem, policy: Policy, progress: Watcher | None, elsewhere: Elsewhere | None = None
) -> Report:
    """The same report, with what gives a claim that does not hold; that takes one more pass over the blocks."""
    expectation, truth = report.expectation, report.losses.reference
    if expectation is None or expectation.holds is not False or policy.expect is None:
        return report
    if truth is None or truth.lower is None or truth.upper is None:
        return report
    usual = replace(problem, block_bytes=BLOCK_BYTES)  # whose sums are float64, in the order of the blocks
    told = Pass("looking for the mistake", usual, progress, partial(_true_value, report))
    causes = _causes(usual, policy.expect, (truth.lower + truth.upper) / 2, told, elsewhere)
    return replace(report, expectation=replace(expectation, causes=causes))


def _causes(problem: Problem, claim: Claim, truth: float, told: Pass, elsewhere: Elsewhere | None) -> tuple[Cause, ...]:
    """The mistakes that give the claim, looked for where the data are."""
    from xentcli.diagnose.causes.find import find_causes

    if elsewhere is None or not problem.streamed:
        return find_causes(problem, claim, truth, told.reached)
    return Team.elsewhere(problem, elsewhere, certified=False).once(find_causes, claim, truth)


def _true_value(report: Report) -> str:
    truth = report.losses.reference
    return f"{report.options.reduction} {truth.decimal}" if truth and truth.decimal else ""


def exact_bits(problem: Problem, policy: Policy) -> int | None:
    """The relative precision that the true losses are wanted with; None where one float64 pass will do."""
    small = problem.samples * problem.classes <= SMALL_INPUT and problem.steps <= SMALL_STEPS
    if policy.digits is None and not small and policy.reference != "exact":
        return None
    if problem.product is not None and problem.steps > MOST_STEPS:
        raise UsageError(
            "the exact product of so many hidden states takes hours",
            found=f"{problem.steps:,} multiplications, for --reference exact or --digits",
            expected=f"up to {MOST_STEPS:,}",
            hint="leave it out: a product in float64 is certified, too",
        )
    return max(EXACT_BITS, 4 * (policy.digits or 0))
