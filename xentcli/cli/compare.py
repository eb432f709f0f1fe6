"""`xent compare`: two or more sets of logits over the same labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from xentcli.cli.command import Command
from xentcli.cli.compare_options import READING_OPTIONS, WHERE_OPTIONS, Reading, check_parts, check_rows, drawn_by
from xentcli.cli.elsewhere import Workers
from xentcli.cli.help import Argument
from xentcli.cli.inputs import LOGITS
from xentcli.cli.options import (
    EPILOG,
    PART_OPTIONS,
    RECORDED_ROWS,
    RUNNING_OPTIONS,
    WORKER_OPTIONS,
    Finite,
    Whole,
    option,
    output_options,
    with_options,
)
from xentcli.cli.parts import Parts
from xentcli.cli.present import Presentation
from xentcli.cli.watch import Watch, sizes
from xentcli.render.comparison.registry import MODULES, last_line, render
from xentcli.render.registry import PICTURES

if TYPE_CHECKING:
    from xentcli.records.comparison import Comparison

EXAMPLES = (
    "xent random --samples 500 --classes 10 --seed 0 --save data -q",
    "xent random --samples 500 --classes 10 --seed 1 --save other -q",
    "xent compare data/logits.npy other/logits.npy --labels data/labels.npy",
    "xent compare data/logits.npy data/logits.npy --max-kl 1e-6 -q",
)
GATES = "Gates: limits that must be kept, by proof; else exit code 1"
GATE_OPTIONS = (
    option("--max-kl", type=Finite(min=0), metavar="NATS", heading=GATES, help="The mean KL divergence from the base."),
    option(
        "--max-kl-99.9", "max_kl_99_9", type=Finite(min=0), metavar="NATS", heading=GATES, help="Its 99.9th percentile."
    ),
    option(
        "--max-ppl-ratio",
        type=Finite(min=0),
        metavar="X",
        heading=GATES,
        help="The other's perplexity over the base's.",
    ),
    option(
        "--min-same-top",
        type=Finite(min=0, max=1),
        metavar="SHARE",
        heading=GATES,
        help="Rows with the same top class.",
    ),
    option(
        "--equivalence",
        type=Finite(min=0, min_open=True),
        metavar="NATS",
        heading=GATES,
        help="The 90 % interval of the other's mean loss less the base's lies within this of 0.",
    ),
)
CLAIMS = "Claims: numbers printed somewhere; one that does not hold is exit code 1, with the mistake that gives it"
CLAIM_OPTIONS = (
    option("--expect-kl", metavar="VALUE", heading=CLAIMS, help="A claimed mean KL divergence from the base."),
    option(
        "--expect",
        multiple=True,
        metavar="NAME=VALUE",
        heading=CLAIMS,
        help="A claimed statistic by its name, as ppl-ratio=1.0123 or kl-99.9=0.83; repeatable.",
    ),
)
OWN_OPTIONS = (
    option("--labels", type=click.Path(allow_dash=True), metavar="FILE", help="Class indices.  [default: of BASE]"),
    option(
        "--ignore-index",
        type=int,
        default=-100,
        show_default=True,
        metavar="INT",
        help="The label of rows that do not count.",
    ),
    option("--class-axis", type=int, metavar="INT", help="The axis of the classes.  [default: 1, or 0 of only one]"),
    option(
        "--first-classes",
        type=Whole(min=1),
        metavar="N",
        help="Compare the first N classes of all sides: a vocabulary without its padding.",
    ),
    option(
        "--dialect",
        type=click.Choice(["llama.cpp"]),
        help="Print what llama-perplexity prints of a base file, digit for digit, and what its 16 bits leave open.",
    ),
)


@click.command(cls=Command, examples=EXAMPLES, epilog=EPILOG, short_help="Two sets of logits: the same model or not.")
@click.argument("base", cls=Argument, type=click.Path(), about=f"{LOGITS}: the reference.")
@click.argument(
    "others", cls=Argument, type=click.Path(), nargs=-1, required=True, metavar="OTHER...", about="The same of others."
)
@with_options(OWN_OPTIONS, READING_OPTIONS, WHERE_OPTIONS, GATE_OPTIONS, CLAIM_OPTIONS, PART_OPTIONS)
@with_options(output_options(list(MODULES)), RUNNING_OPTIONS, WORKER_OPTIONS)
@click.pass_context
def compare(context: click.Context, /, base: str, others: tuple[str, ...], **given: Any) -> int:
    """How far other logits are from those of BASE, over the same labels: the same model or not, certified.

    KL divergence both ways, Jensen-Shannon and total variation of every row, enclosed by proof, and, where there are
    labels, losses, perplexities and what the label's probability changed by.  Statistical errors stand beside.
    """
    given |= {"base": base, "others": others}
    if given.pop("json"):
        given["form"] = "json"
    reading = Reading.of(context, given)
    own = {name: given.pop(name) for name in ("ignore_index", "class_axis", "by", "reduction", "dialect")}
    gates = ("max-kl", "max-kl-99.9", "max-ppl-ratio", "min-same-top", "equivalence")
    limits = {name: given.pop(name.replace("-", "_").replace(".", "_")) for name in gates}
    claimed = given.pop("expect"), given.pop("expect_kl")
    running = {name: given.pop(name) for name in ("threads", "block_bytes")}
    parts, workers = Parts.taken(given), Workers.of(context, given)
    forms = [given["form"], *(form for form, _ in given["reports"])]
    check_rows(forms, own["reduction"], len(others))
    own["by"] = drawn_by(own["by"], forms, in_parts=parts.wanted)
    if parts.wanted:
        check_parts(dialect=own["dialect"], claimed=any(claimed))
    presentation = Presentation(renderer=render, last_line=last_line, strict=False, **given)

    def compared(watch: Watch) -> Comparison:
        from xentcli.comparing.claims import claims_of

        claims = claims_of(*claimed)
        opened = reading.read()  # what is wrong with a file is said before torch is imported
        watch.announce("reading the data", sizes(reading.sides.base, *reading.sides.others))
        from xentcli.cli.pairing import Request
        from xentcli.comparing.problem import Floor
        from xentcli.comparing.run import Wanted
        from xentcli.question.problem import Options

        options = Options(ignore_index=own["ignore_index"], class_axis=own["class_axis"], input=reading.input)
        wanted = Wanted(
            {name: limit for name, limit in limits.items() if limit is not None},
            RECORDED_ROWS if presentation.rows is None else presentation.rows,
            grouping=reading.grouping,
            by=own["by"],
            dialect=own["dialect"] is not None,
            every_row=own["reduction"] == "none",
            claims=claims,
            draws=PICTURES in forms and not parts.wanted,
        )
        floor = None if reading.floor is None else Floor.of(reading.floor)
        request = Request(reading.sides, opened, options, floor, wanted)
        return request.comparison(parts, workers, **running, progress=watch)

    def make() -> Comparison:
        with Watch(quiet=presentation.quiet) as watch:
            return compared(watch)

    return presentation.present(make)
