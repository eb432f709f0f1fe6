"""The Python face of `xent compute` and of `xent compare`."""

from __future__ import annotations

from os import PathLike, fspath
from types import NoneType
from typing import TYPE_CHECKING, Any, Literal

from xentcli.comparing.claims import NamedClaim
from xentcli.comparing.problem import Floor, Pairing
from xentcli.comparing.run import Wanted
from xentcli.comparing.run import compare as run_comparison
from xentcli.errors import UsageError
from xentcli.question.claims import Claim
from xentcli.question.grouping import ENTRIES, Grouping
from xentcli.question.policy import Policy, user_tolerance
from xentcli.question.problem import BLOCK_BYTES, Options, Problem, Reduction
from xentcli.question.rowclaims import RowClaims
from xentcli.running.engine import run
from xentcli.sources.beside import check_own_labels
from xentcli.sources.kept import first_classes as kept_classes
from xentcli.sources.memory import from_memory
from xentcli.sources.open import open_array
from xentcli.sources.pairs import open_base, open_beside, open_inputs, open_logits
from xentcli.sources.tabular import DEFAULT, Tabular

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import torch
    from numpy.typing import ArrayLike

    from xentcli.numbers.arrays import Array
    from xentcli.numbers.given import Given
    from xentcli.question.grouping import By
    from xentcli.records.comparison import Comparison
    from xentcli.records.report import Report

    Input = str | PathLike[str] | ArrayLike | torch.Tensor


def compute(
    logits: Input,
    labels: Input | None = None,
    *,
    label_column: str | None = None,
    columns: str | Sequence[str] | None = None,
    drop: str | Sequence[str] | None = None,
    classes: str | Sequence[str] | None = None,
    join: str | None = None,
    decimal: str | None = None,
    weight: Input | None = None,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    reduction: Reduction = "mean",
    class_axis: int | None = None,
    input: Given = "logits",  # noqa: A002 - the option's name
    binary: bool = False,
    pos_weight: float | None = None,
    shift: bool = False,
    temperature: float | None = None,
    softcap: float | None = None,
    z_loss: float | None = None,
    head: Input | None = None,
    bias: Input | None = None,
    dtype: str | None = None,
    device: str = "cpu",
    rtol: float | None = None,
    atol: float | None = None,
    reference: Literal["fast", "exact", "off"] = "fast",
    digits: int | None = None,
    expect: str | float | Input | None = None,
    metrics: bool = False,
    bytes: int | str | PathLike[str] | None = None,  # noqa: A002 - the option's name
    expect_bpb: str | float | None = None,
    calibrate: bool = False,
    worst: int = 5,
    by: By | Sequence[By] = (),
    group: int | str | PathLike[str] | None = None,
    rows: int = 20,
    threads: int | None = None,
    block_bytes: int = BLOCK_BYTES,
) -> Report:
    """The cross-entropy of logits and labels by both paths, the enclosure of the true value, and the verdict.

    logits   [N, C, d1, ...] or [C], floats: a file name, an array, a tensor or nested lists; a name may stand for
             several files, as on the command line, if the labels are files, too
    labels   integers of the logits' shape without the class axis, or target probabilities of the logits' shape; None
             where the file of the logits holds both
    label_column  where the labels stand in their table, or in that of the logits
    columns, drop, classes, join, decimal  how tables are read, as on the command line; names may be a list, too
    weight   [C], one number a class
    input    what the numbers are: logits, or the probabilities or log-probabilities that a model has made of them
    binary   one logit a sample, and a label from 0 to 1 of the same shape; pos_weight is the weight of label 1
    shift    the labels are the inputs of a language model: logits[:, :-1] against labels[:, 1:], the classes last
    head     [C, H], as `nn.Linear.weight`: `logits` are hidden states then, [..., H], and the logits hidden @ head.T
    bias     [C], added to them
    temperature, softcap  what is done to the logits first: they are divided by it, then bent, cap·tanh(logits/cap)
    z_loss   Z: the loss of every sample that counts gains Z·logsumexp(logits)², which is not smoothed

    metrics  whether those that need every row are wanted, and `worst` rows with the highest losses
    bytes    of the text, or a file with those of each row, for bits per byte
    expect_bpb  claimed bits per byte
    calibrate  whether the best temperature is wanted of more than a million logits, too
    by       the parts of which metrics are wanted: "position", "class", "confidence", "group" and "file"
    group    rows that belong together, for standard errors, as on the command line
    expect   a claimed loss; with reduction "none" a file or an array of one a sample

    The other options are those of `torch.nn.functional.cross_entropy` and of `xent compute`; the report does not
    depend on `threads` and `block_bytes`.  The result's `to_dict()` is the JSON of `xent compute --json`.

    Errors: InputError for files and arrays that make no sense, UsageError for options that make none.

    >>> report = compute([[2.0, 0.0], [0.0, 1.0]], [0, 1])
    >>> report.verdict, round(report.losses.library.value, 6)
    ('holds', 0.220095)
    """
    options = Options(
        weight=None if weight is None else _read(weight, "weight"),
        ignore_index=ignore_index,
        label_smoothing=label_smoothing,
        reduction=reduction,
        class_axis=class_axis,
        dtype=dtype,
        device=device,
        input=input,
        binary=binary,
        pos_weight=pos_weight,
        shift=shift,
        temperature=temperature,
        softcap=softcap,
        z_loss=z_loss,
        head=None if head is None else _read(head, "head"),
        bias=None if bias is None else _read(bias, "bias"),
    )
    policy = Policy(
        reference=reference,
        tolerance=user_tolerance(rtol, atol),
        digits=digits,
        expect=None if expect is None or reduction == "none" else Claim.parse(str(expect)),
        rows=rows,
        metrics=metrics or calibrate or bytes is not None or bool(by) or group is not None,
        bytes=bytes if bytes is None or isinstance(bytes, int) else fspath(bytes),
        expect_bpb=None if expect_bpb is None else Claim.parse(str(expect_bpb)),
        calibrate=calibrate,
        worst=worst,
        by=(by,) if isinstance(by, str) else tuple(by),
        grouping=None if group is None else Grouping.parse(str(group)),
    )
    table = Tabular.of(columns, drop, classes, join, decimal)
    pair = _inputs(
        logits, labels, class_axis, label_column, table, binary=binary, hidden=head is not None
    )  # fmt: skip
    problem = Problem(*pair, options, block_bytes)
    claims = RowClaims(_read(expect, "losses")) if expect is not None and reduction == "none" else None
    return run(problem, policy, threads=threads, claims=claims)


def compare(
    base: Input,
    other: Input,
    labels: Input | None = None,
    *,
    ignore_index: int = -100,
    class_axis: int | None = None,
    input: Given = "logits",  # noqa: A002 - the option's name
    label_column: str | None = None,
    columns: str | Sequence[str] | None = None,
    drop: str | Sequence[str] | None = None,
    classes: str | Sequence[str] | None = None,
    join: str | None = None,
    decimal: str | None = None,
    first_classes: int | None = None,
    group: int | str | PathLike[str] | None = None,
    by: By | Sequence[By] = (),
    floor: Input | None = None,
    reduction: Literal["mean", "none"] = "mean",
    max_kl: float | None = None,
    max_ppl_ratio: float | None = None,
    min_same_top: float | None = None,
    equivalence: float | None = None,
    expect: Mapping[str, str | float] | None = None,
    rows: int = 20,
    threads: int | None = None,
    block_bytes: int = BLOCK_BYTES,
) -> Comparison:
    """How far other logits are from those of a base, over the same labels, certified.

    base    [N, C, d1, ...] or [C], floats: a file name, an array, a tensor or nested lists
    other   the same of the other side
    labels  integers of the logits' shape without the class axis; None for those in the base's file, or for none
    input   what the numbers of all are
    label_column, columns, drop, classes, join, decimal  how tables are read, as on the command line
    first_classes  how many classes of both are compared, where the others are padding
    group   rows that belong together, for standard errors, as on the command line
    by      by what the differences are told apart: "position", "class", "confidence", "group" and "file"
    floor   what is noise: a third set of logits, or a format to which both sides are rounded
    reduction  "none" for every row
    max_kl, max_ppl_ratio, min_same_top, equivalence  limits, as on the command line
    expect  claimed statistics by their names, as {"kl": "0.0123", "ppl_ratio": 1.01}; a text keeps its last zeros

    Errors: InputError for files and arrays that do not fit together, or whose divergence is infinite.

    >>> found = compare([[2.0, 0.0], [0.0, 1.0]], [[2.0, 0.1], [0.0, 1.0]]).comparisons[0]
    >>> round(found.statistics["kl"].value, 8), found.identity.same_rows
    (0.00026923, 1)
    """
    table = Tabular.of(columns, drop, classes, join, decimal)
    first, target = _base(base, labels, class_axis, label_column, table)
    gates = {
        "max-kl": max_kl,
        "max-ppl-ratio": max_ppl_ratio,
        "min-same-top": min_same_top,
        "equivalence": equivalence,
    }
    limits = {name: limit for name, limit in gates.items() if limit is not None}
    options = Options(ignore_index=ignore_index, class_axis=class_axis, input=input)
    noise = None if floor is None else Floor.of(fspath(floor) if isinstance(floor, (str, PathLike)) else "<floor>")
    sides = (other,) if noise is None or noise.dtype else (other, floor)
    arrays = [_beside(first, side, class_axis, table, label_column) for side in sides]
    if target is not None and not table.join:
        for value, array in zip((base, *sides), (first, *arrays), strict=True):
            if isinstance(value, (str, PathLike)):
                check_own_labels(target, array, fspath(value), label_column, table)
    if first_classes is not None:
        first, *arrays = (kept_classes(each, class_axis, first_classes) for each in (first, *arrays))
    pairing = Pairing.of(first, target, arrays, options, block_bytes, floor=noise, worst=rows)
    wanted = Wanted(
        limits,
        rows,
        grouping=ENTRIES if group is None else Grouping.parse(str(group)),
        by=(by,) if isinstance(by, str) else tuple(by),
        every_row=reduction == "none",
        claims=tuple(NamedClaim.of(name, value) for name, value in (expect or {}).items()),
    )
    return run_comparison(pairing, wanted, threads=threads)


def _base(
    base: Input, labels: Input | None, class_axis: int | None, column: str | None, table: Tabular
) -> tuple[Array, Array | None]:
    """The base's logits, and the labels where there are any."""
    if isinstance(base, (str, PathLike)) and isinstance(labels, (str, PathLike, NoneType)):
        name = None if labels is None else fspath(labels)
        return open_base(fspath(base), name, class_axis, column=column, table=table)
    first = (
        open_logits(fspath(base), class_axis) if isinstance(base, (str, PathLike)) else from_memory(base, "<logits>")
    )
    return first, None if labels is None else _read(labels, "labels")


def _beside(base: Array, value: Any, class_axis: int | None, table: Tabular, column: str | None) -> Array:
    if isinstance(value, (str, PathLike)):
        return open_beside(base, fspath(value), class_axis, table, column=column)
    return from_memory(value, "<logits>")


def _inputs(
    logits: Input,
    labels: Input | None,
    class_axis: int | None,
    column: str | None,
    table: Tabular,
    *,
    binary: bool,
    hidden: bool,
) -> tuple[Array, Array]:
    """Names of files are matched with each other, as each may stand for several."""
    if isinstance(logits, (str, PathLike)) and isinstance(labels, (str, PathLike, NoneType)):
        name = None if labels is None else fspath(labels)
        return open_inputs(fspath(logits), name, class_axis, column=column, table=table, binary=binary, hidden=hidden)
    if column is not None or table != DEFAULT:
        raise UsageError(
            "options of tables are for files alone", found=column or str(table), expected="the names of files"
        )
    if labels is None:
        raise UsageError("the labels are missing", expected="labels, or the name of a file that holds both")
    return _read(logits, "logits"), _read(labels, "labels")


def _read(value: Any, name: str) -> Array:
    if isinstance(value, (str, PathLike)):
        return open_array(fspath(value), name)
    return from_memory(value, f"<{name}>")
