"""`xent explain`: one sample, step by step."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

import click

from xentcli.cli.codes import listed, meaning, word_list
from xentcli.cli.command import Command, without
from xentcli.cli.inputs import NAMED_INPUTS, Inputs
from xentcli.cli.options import EPILOG, GIVEN_OPTIONS, LOSS_OPTIONS, Whole, option, report_option, with_options
from xentcli.cli.present import Presentation, screen
from xentcli.cli.request import problem_of
from xentcli.cli.terminal import say
from xentcli.cli.watch import Watch, sizes
from xentcli.errors import Exit, UsageError
from xentcli.render.told import FORMS, render
from xentcli.sources.files import check_input

if TYPE_CHECKING:
    from xentcli.records.explanation import Explanation

OWN_OPTIONS = (
    option(
        "--digits",
        type=Whole(1, 1000),
        metavar="INT",
        help="Certified digits to print.  [default: as many as are certain, up to 30]",
    ),
    option(
        "-f",
        "--format",
        "form",
        type=click.Choice(list(FORMS)),
        default="table",
        show_default=True,
        help="What to print.",
    ),
    click.option("--json", is_flag=True, help="Short for --format json."),
    option("-o", "--output", type=click.Path(), metavar="FILE", help="Print to a file, whole or not at all."),
    report_option(tuple(FORMS)),
)


REFUSED = {"--temperature", "--softcap", "--z-loss", "--head", "--bias"}


class Explaining(Command):
    """The command, which says what has the loss of each row where it is asked for what it does not explain."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """UsageError with that command, before others say that there is no such option."""
        found = [name for name in (word.partition("=")[0] for word in args) if name in REFUSED]
        if found and not ctx.resilient_parsing:
            words = without(tuple(args), "--row")
            raise UsageError(
                "a row is explained of the logits as they are stored, and of their cross-entropy alone",
                found=" and ".join(found),
                hint=shlex.join(["xent", "compute", *words, "--reduction", "none"]),
            )
        return super().parse_args(ctx, args)


def _list_words(context: click.Context, _param: click.Parameter, wanted: bool) -> None:
    """Print the glossary's words and end, as for the codes."""
    if wanted and not context.resilient_parsing:
        say(word_list(screen()))
        context.exit()


def _list_codes(context: click.Context, _param: click.Parameter, wanted: bool) -> None:
    """Print the registry and end, before the files are asked for."""
    if wanted and not context.resilient_parsing:
        say(listed(screen()))
        context.exit()


EXAMPLES = (
    "xent explain ulp",
    "xent random --samples 4 --classes 10 --seed 0 --save data -q",
    "xent explain data/logits.npy data/labels.npy --row 1",
)


@click.command(cls=Explaining, examples=EXAMPLES, epilog=EPILOG, short_help="One sample, step by step.")
@with_options(NAMED_INPUTS)
@click.option(
    "--codes",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_list_codes,
    help="List every cause and finding there is, and exit; `xent explain CODE` explains one.",
)
@click.option(
    "--words",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_list_words,
    help="List the words of tables and verdicts, and exit; `xent explain WORD` explains one.",
)
@option(
    "--row",
    type=Whole(min=0),
    metavar="INT",
    help="Which sample, from 0 on in C order.  [default: the one that is furthest off]",
)
@with_options(GIVEN_OPTIONS, LOSS_OPTIONS, OWN_OPTIONS)
@click.pass_context
def explain(context: click.Context, /, row: int | None, digits: int | None, **given: Any) -> int:
    """The loss of one sample of LOGITS and LABELS, step by step.

    Every step of the textbook's way and of torch's with its formula, its numbers and its rounding; the loss with its
    certified digits, where digits were lost, the gradient, and the curve of -log p.

    Or, instead of LOGITS, a word of a table or a verdict, or the code of a cause or a finding: what it means.
    """
    if word := meaning(given["logits"], given["labels"], screen()):
        say(word)
        return Exit.HOLDS
    inputs = Inputs.of(context, given)
    form = "json" if given.pop("json") else given["form"]
    given.pop("form")
    printing = {name: given.pop(name) for name in ("output", "reports")}
    presentation = Presentation(form=form, quiet=0, exit_zero=False, strict=False, renderer=render, **printing)
    weight = given.pop("weight")
    if weight is not None:
        check_input(weight)
    return presentation.present(lambda: _explain(inputs, weight, given, row, digits))


def _explain(
    inputs: Inputs, weight: str | None, loss: dict[str, Any], row: int | None, digits: int | None
) -> Explanation:
    with Watch() as watch:
        pair = inputs.read()
        watch.announce("reading the data", sizes(inputs.logits, inputs.labels))
        from xentcli.explain.run import explain as tell

        return tell(problem_of(pair, weight, loss), row, digits, watch)
