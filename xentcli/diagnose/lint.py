"""Which traits of the input deserve a word.  A false alarm is worse than a miss: each condition is stated beside it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from xentcli.measuring.inspect import ADDS_UP
from xentcli.numbers.precision import FLOAT32
from xentcli.records.report import Finding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from xentcli.diagnose.verdict import Judged
    from xentcli.measuring.traits import Gain, Seen, Traits
    from xentcli.records.report import Severity

CHANCE = 1e-9  # what happens so rarely by chance did not happen by chance
FEW = 8  # rows or samples: fewer say nothing about a file
MANY = 64  # samples whose mean says something
SAVED = 0.5  # nats a sample that something else must save to be worth a word
SURE = 6.0  # standard errors that this must be above 0
AT_CHANCE = 0.02  # a loss this close to ln C, relatively, is at chance level
REPEATED = 0.1  # share of rows that may be repetitions, as of texts with one beginning
DIGITS_LOST, DIGITS_LEFT = 3.0, 5.0  # decimal digits that a common offset must cost, and leave
PADDING = 0.05  # share of the positions that padding takes at least
TELLING = 64  # values off the grid by nature that are all on it


@dataclass(frozen=True)
class Look:
    """What a check may speak of."""

    judged: Judged
    traits: Traits
    classes: int


def lint(judged: Judged, classes: int) -> tuple[Finding, ...]:
    """All that is worth saying about the input, in the order of the checks; nothing without the certified pass."""
    traits = judged.measured.traits
    if traits is None:
        return ()
    look = Look(judged, traits, classes)
    return tuple(finding for check in CHECKS for finding in check(look))


@dataclass(frozen=True)
class Disguise:
    """What else logits may be: rows that add up to 1 in some way, and values in a range that goes with it."""

    code: str
    severity: Severity
    least: float
    greatest: float
    adding_up: Callable[[Traits], int]  # how many of the rows looked at add up to 1
    message: str
    hint: str


DISGUISES = (
    Disguise(
        "probabilities-as-logits",
        "warning",
        least=0.0,
        greatest=1.0 + ADDS_UP,
        adding_up=lambda traits: traits.distributions,
        message="every row of the logits is non-negative and adds up to 1: these look like probabilities",
        hint="give the logits, or the logarithms of these probabilities: softmax is taken of what is given",
    ),
    Disguise(
        "log-probabilities",
        "info",
        least=-math.inf,
        greatest=ADDS_UP,
        adding_up=lambda traits: traits.logarithms,
        message="the exponentials of every row add up to 1: these are log-probabilities, whose loss is the same",
        hint="harmless: log_softmax of log-probabilities leaves them as they are",
    ),
)


def _disguised(look: Look) -> Iterator[Finding]:
    """Every logit is in the range, and every row looked at adds up to 1; at least FEW of them."""
    logits, rows = look.judged.measured.logits, look.traits.looked_at
    for other in DISGUISES:
        fits = other.least <= logits.minimum and logits.maximum <= other.greatest
        if fits and rows >= FEW and other.adding_up(look.traits) == rows:
            yield Finding(code=other.code, severity=other.severity, message=other.message, hint=other.hint)


def _scores(look: Look) -> Iterator[Finding]:
    """Every logit is between 0 and 1, of FEW or more rows of fractions, and none of them adds up to 1."""
    logits, sums = look.judged.measured.logits, look.traits.sums
    if sums.count >= FEW and logits.minimum >= 0.0 and logits.maximum <= 1.0 and not look.traits.distributions:
        yield Finding(
            code="scores-as-logits",
            severity="info",
            message=f"every logit is between 0 and 1, and the rows add up to {sums.lower:.3g} to {sums.upper:.3g}: "
            "these look like sigmoid outputs or other scores",
            hint="give what was before the sigmoid, which torch.logit(scores) brings back",
        )


def _padded(look: Look) -> Iterator[Finding]:
    """The last classes have one logit in all of FEW or more rows, as the others have not, and none is a label."""
    padding = look.traits.padding
    first = look.classes - padding.count
    if not padding.count or look.judged.measured.target.maximum >= first:
        return
    which = f"class {first}" if padding.count == 1 else f"classes {first} to {look.classes - 1}"
    has = "has" if padding.count == 1 else "have"
    counts = math.isfinite(padding.value)
    yield Finding(
        code="padded-classes",
        severity="warning" if counts else "info",
        message=f"{which} {has} the logit {padding.value:g} in every row looked at, and no label: this looks like "
        + ("padding, and counts in every softmax" if counts else "padding, of probability 0"),
        hint=f"leave padding out: logits[:, :{first}]" if counts else "as it should be: these classes change no loss",
    )


def _clamped(look: Look) -> Iterator[Finding]:
    """At least 1 % of the logits looked at are the least, or the greatest, and the next ones are near and few."""
    for pile, end in ((look.traits.floor, "least"), (look.traits.ceiling, "greatest")):
        if pile.count:
            cut = "max(x, 0), a ReLU?" if end == "least" and pile.value == 0.0 else "a clamp?"
            yield Finding(
                code="clamped-values",
                severity="info",
                message=f"{pile.count:,} of the logits looked at are {pile.value:g}, the {end} one: "
                f"values beyond it were cut off",
                hint=f"{cut} give the logits before it",
            )


def _crossed(look: Look) -> Iterator[Finding]:
    """Target probabilities add up to 1 along one other axis, and not over the classes."""
    if len(look.traits.crossed) == 1:
        (axis,) = look.traits.crossed
        yield Finding(
            code="class-axis-elsewhere",
            severity="warning",
            message=f"the target probabilities add up to 1 along axis {axis}, and not along the class axis",
            hint=f"--class-axis {axis} fits",
        )


def _rows_off_one(look: Look) -> Iterator[Finding]:
    """A row of given probabilities misses 1 by more than 0.001, by proof, and than its own rounding."""
    found = look.judged.measured.row_sums
    if found is not None and found.lower > max(ADDS_UP, 4.0 * look.judged.precision.unit_roundoff):
        yield Finding(
            code="rows-off-one",
            severity="warning",
            message=f"the given probabilities do not add up to 1: those of row {found.row} to {found.total:.7g}",
            rows=(found.row,),
            hint="sigmoids, or cut off? the loss is -log of the numbers as they are; logits: --input logits",
        )


def _extreme_probabilities(look: Look) -> Iterator[Finding]:
    """A given probability is 0, or above 1 by a rounding."""
    found = look.judged.measured.row_sums
    if found is not None and found.zeros.count:
        yield Finding(
            code="zero-probability",
            severity="info",
            message=f"{found.zeros.count:,} of the given probabilities are 0, which have no logarithm: "
            f"the first is that of row {found.zeros.row}, class {found.zeros.index}",
            rows=(found.zeros.row,),
            hint="too small for the format, or rounded? a label of such a class makes the loss infinite",
        )
    if found is not None and found.above.count:
        yield Finding(
            code="probability-above-one",
            severity="info",
            message=f"{found.above.count:,} of the given probabilities are above 1 by a rounding: "
            f"the first is that of row {found.above.row}, class {found.above.index}",
            rows=(found.above.row,),
            hint="log_softmax in one step never exceeds 0; exp and a division may exceed 1",
        )


def _off_by_one(look: Look) -> Iterator[Finding]:
    """No label is 0, or none is the last class, and the neighbouring class fits much better."""
    labels, classes = look.judged.measured.target, look.classes
    traits, last = look.traits, classes - 1
    for gain, applies, sign in ((traits.less, labels.minimum >= 1, "−"), (traits.more, labels.maximum < last, "+")):
        if applies and _fits_better(gain):
            yield Finding(
                code="labels-off-by-one",
                severity="warning",
                message=f"label {sign} 1 fits {gain.mean:.2g} nats a sample better than the label, "
                f"and the labels are {labels.minimum:g} to {labels.maximum:g} of the classes 0 to {last}",
                hint=f"labels counted from {'1' if sign == '−' else '−1'}? give labels {sign} 1",
            )


def _shifted(look: Look) -> Iterator[Finding]:
    """The label of the sample before or after, along the last axis, fits much better."""
    for gain, where in ((look.traits.earlier, "before"), (look.traits.later, "after")):
        if _fits_better(gain):
            yield Finding(
                code="labels-out-of-step",
                severity="warning",
                message=f"the label of the position {where} fits {gain.mean:.2g} nats a sample better than its own",
                hint="were logits and labels both shifted, or neither? logits[:, :-1] belong to tokens[:, 1:]",
            )


def _other_axis(look: Look) -> Iterator[Finding]:
    """Another axis is as long as the class axis, and the labels fit much better along it."""
    if _fits_better(look.traits.swapped):
        yield Finding(
            code="class-axis-elsewhere",
            severity="warning",
            message="another axis is as long as the class axis, and the labels fit "
            f"{look.traits.swapped.mean:.2g} nats a sample better along it",
            hint="--class-axis says which axis the classes are on; -1 for language-model layout",
        )


def _padding(look: Look) -> Iterator[Finding]:
    """A label in at least 5 % of the positions of FEW or more sequences stands only in runs that end them."""
    traits, positions = look.traits, look.traits.labels.total()
    if traits.sequences < FEW or len(traits.labels) < 3:
        return
    for label, count in traits.tails.items():
        if traits.labels[label] == count >= max(FEW, PADDING * positions):
            yield Finding(
                code="padding-label",
                severity="warning",
                message=f"label {label} stands only at the ends of sequences, {count:,} of {positions:,} times: "
                "this looks like padding, and it counts",
                hint=f"--ignore-index {label}",
            )


def _constant(look: Look) -> Iterator[Finding]:
    """All labels are one, of so many samples that equally likely classes would do so once in 10⁹ times."""
    classes, labels = look.classes, look.judged.measured.target
    if labels.minimum == labels.maximum and (look.traits.counted - 1) * math.log(max(classes, 1)) > -math.log(CHANCE):
        yield Finding(
            code="constant-labels",
            severity="warning",
            message=f"all {look.traits.counted:,} labels that count are {labels.minimum:g}",
            hint="is this the file with the labels?",
        )


def _argmax(look: Look) -> Iterator[Finding]:
    """Every label is the likeliest class, which the model itself gives a chance of less than 10⁻⁹."""
    traits = look.traits
    if traits.counted and not traits.off_top and not traits.equal.count and traits.nats.value() > -math.log(CHANCE):
        yield Finding(
            code="labels-are-argmax",
            severity="warning",
            message=f"every label is the class of the greatest logit, for which the model's own chance is "
            f"e^-{traits.nats.value():.3g}: the labels look as if made from the logits",
            hint="labels = logits.argmax(1) are predictions, not the truth",
        )


def _one_hot(look: Look) -> Iterator[Finding]:
    """Every row of labels is one 1 among zeros, which random labels are once in 10⁹ times; more than two classes."""
    length = sum(look.traits.labels.values()) / look.traits.sequences if look.traits.sequences else 0.0
    if look.traits.one_hot and look.traits.one_hot == look.traits.sequences and length >= 3 and look.classes > 2:
        chance = look.traits.sequences * (math.log(length) - length * math.log(2.0))
        if chance < math.log(CHANCE):
            yield Finding(
                code="one-hot-labels",
                severity="warning",
                message=f"the labels are {look.traits.sequences:,} rows of one 1 and zeros: "
                "one-hot targets read as labels",
                hint="save them as floats of the logits' shape, or take their argmax as labels",
            )


@dataclass(frozen=True)
class Sight:
    """A check that speaks of rows which have something in common, from so many of them on."""

    code: str
    severity: Severity
    seen: Callable[[Traits], Seen]
    message: str  # with {rows} and {classes}
    hint: str
    least: int = 1

    def __call__(self, look: Look) -> Iterator[Finding]:
        """The finding, where there are rows enough."""
        seen = self.seen(look.traits)
        if seen.count >= self.least:
            message = self.message.format(rows=look.judged.rows(seen.count), classes=_classes(look.traits))
            yield Finding(code=self.code, severity=self.severity, message=message, rows=seen.rows, hint=self.hint)


OFF_ONE = Sight(  # by more than 0.001 and their own rounding
    "target-not-normalised",
    "warning",
    lambda traits: traits.off_one,
    "the target probabilities do not add up to 1 in {rows}",
    "torch does not normalise them: target / target.sum(1, keepdim=True)",
)


def _off_one(look: Look) -> Iterator[Finding]:
    """The sums over the classes, unless those along one other axis are 1."""
    if len(look.traits.crossed) != 1:
        yield from OFF_ONE(look)


STRANGE = Sight(
    "non-finite-logits",
    "warning",
    lambda traits: traits.strange,
    "logits are NaN or +inf in {rows}, {classes}",
    "the network diverged or overflowed, or the file was not fully written",
)
MASKED = Sight(
    "masked-classes",
    "info",
    lambda traits: traits.masked,
    "logits are -inf in {rows}, {classes}: these classes have probability 0",
    "meant as a mask? then all is well, unless a label is masked",
)
EQUAL = Sight(
    "equal-logits",
    "warning",
    lambda traits: traits.equal,
    "all logits of a row are equal in {rows}: these predict nothing",
    "rows that were never computed? leave them out, or ignore their labels",
    least=FEW,
)


def _repeated(look: Look) -> Iterator[Finding]:
    """More than a tenth of the rows looked at, and FEW or more, are equal to an earlier one; three classes or more."""
    count = look.traits.repeated.count
    if count >= FEW and count > REPEATED * look.traits.looked_at and look.classes > 2:
        yield Finding(
            code="repeated-rows",
            severity="info",
            message=f"{count:,} of the {look.traits.looked_at:,} rows looked at are equal to an earlier one",
            rows=look.traits.repeated.rows,
            hint="was a batch written twice? equal inputs have equal logits, and then all is well",
        )


def _grid(look: Look) -> Iterator[Finding]:
    """TELLING or more float32 logits looked at, which need more than a few bits, are all numbers of a 16-bit format."""
    name = "bfloat16" if look.traits.grid.bfloat16 else "float16"
    if look.traits.grid.telling >= TELLING and (look.traits.grid.bfloat16 or look.traits.grid.float16):
        yield Finding(
            code="sixteen-bit-values",
            severity="info",
            message=f"the logits are float32, and all their values are {name} numbers: they went through {name}",
            hint=f"their last digits were lost before the file was written; --dtype {name} computes as there",
        )


def _offset(look: Look) -> Iterator[Finding]:
    """All logits are so far from 0, on one side, that logsumexp − x[y] has at least 3 digits less, and under 5 left."""
    logits, truth = look.judged.measured.logits, look.judged.verdict.truth
    offset = max(logits.minimum, -logits.maximum)
    loss = look.traits.nats.value() / look.traits.counted if look.traits.counted else 0.0
    if truth is None or offset <= 0.0 or loss <= 0.0 or not math.isfinite(loss):
        return
    lost = math.log10(offset) - math.log10(loss)
    left = -math.log10(look.judged.precision.unit_roundoff) - lost
    if lost >= DIGITS_LOST and left < DIGITS_LEFT:
        yield Finding(
            code="large-offset",
            severity="info",
            message=f"all logits are beyond {math.copysign(offset, logits.minimum):.4g}: an implementation by "
            f"logsumexp - x[y] loses about {lost:.0f} of {look.judged.precision.name}'s digits",
            hint="take each row's maximum off first, as both paths here do: x - x.max(1, keepdim=True)",
        )


def _chance_level(look: Look) -> Iterator[Finding]:
    """The mean −log p of MANY or more labels is within 2 % of ln C."""
    if look.traits.counted < MANY or look.classes < 2 or not look.traits.labels:
        return
    loss, chance = look.traits.nats.value() / look.traits.counted, math.log(look.classes)
    if abs(loss - chance) <= AT_CHANCE * chance:
        yield Finding(
            code="chance-level",
            severity="info",
            message=f"the loss is {loss:.4g} nats a sample, and guessing among {look.classes:,} classes costs "
            f"ln {look.classes:,} = {chance:.4g}",
            hint="an untrained model? or labels of other samples",
        )


def _small(look: Look) -> Iterator[Finding]:
    """Half or more of the samples have a positive loss below 2⁻²⁴, and the paths compute in float32."""
    if 2 * look.traits.lost >= max(look.traits.counted, 1) and look.judged.precision.name != "float64":
        yield Finding(
            code="loss-below-float32",
            severity="info",
            message=f"the loss is positive and below {FLOAT32.unit_roundoff:.1e} in "
            f"{look.judged.rows(look.traits.lost)}: float32 adds nothing so small to 1, and gives 0",
            hint="--dtype float64",
        )


CHECKS = (
    STRANGE,
    MASKED,
    _disguised,
    _scores,
    _crossed,
    _padded,
    _clamped,
    _rows_off_one,
    _extreme_probabilities,
    _other_axis,
    _shifted,
    _off_by_one,
    _padding,
    _one_hot,
    _constant,
    _argmax,
    _off_one,
    EQUAL,
    _repeated,
    _grid,
    _offset,
    _chance_level,
    _small,
)


def _fits_better(gain: Gain) -> bool:
    return gain.count >= FEW and gain.mean >= SAVED and gain.certainty >= SURE


def _classes(traits: Traits) -> str:
    named = sorted(traits.columns)[:10]
    more = " and more" if len(traits.columns) > len(named) else ""
    return f"class{'es' * (len(traits.columns) > 1)} {', '.join(map(str, named))}{more}"
