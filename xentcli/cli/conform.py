"""`xent conform`: judge somebody else's cross-entropy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from xentcli.cli.command import Command
from xentcli.cli.conform_loss import check, judge, show
from xentcli.cli.help import Argument
from xentcli.cli.options import EPILOG, Finite, Whole, option, output_options, with_options
from xentcli.cli.present import Presentation
from xentcli.cli.telling import Telling
from xentcli.cli.terminal import say
from xentcli.conform.kinds.names import NAMES
from xentcli.errors import Exit, UsageError
from xentcli.render.registry import TEXTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xentcli.conform.cases.case import Case
    from xentcli.conform.cases.corpus import Corpus
    from xentcli.records.conformance import ConformanceReport, SelfCheck
    from xentcli.render.page import Page

CORPUS = Path(__file__).parent.parent / "conform" / "data" / "corpus.json"


def _complete(context: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Families; after a slash also cases. The module that reads them all imports torch, for which Tab cannot wait."""
    if context.params.get("loss"):  # whose families only a module that imports torch knows
        return []
    content = json.loads(CORPUS.read_text(encoding="utf-8"))
    cases = [case["name"] for case in content["cases"]] if "/" in incomplete else []
    return [name for name in (*content["families"], *cases) if name.startswith(incomplete)]


CHOICE_OPTIONS = (
    option("--loss", type=click.Choice(NAMES), metavar="NAME", help=f"Another loss: {', '.join(NAMES)}."),
    option(
        "--exec",
        "commands",
        multiple=True,
        metavar="[NAME=]COMMAND",
        help="A program that speaks JSON Lines; repeatable.  NAME is what reports call it, and has a small letter: "
        "in capitals alone, as OMP_NUM_THREADS=1, it is a variable that is set for the program.",
    ),
    option(
        "--arrays",
        type=click.Choice(["torch", "numpy", "jax"]),
        default="torch",
        show_default=True,
        help="What a callable is given.",
    ),
    option(
        "--declare",
        multiple=True,
        metavar="KEY=VALUE",
        help="What the implementations are, where they do not say it themselves: reductions=mean, targets=one-hot, "
        "axis=last, returns=0, ...; repeatable.  `xent docs conform` has all.",
    ),
    option(
        "--device",
        type=click.Choice(["cpu", "cuda", "mps"]),
        default="cpu",
        show_default=True,
        help="Where a callable on tensors is given them.",
    ),
    option("--compile", is_flag=True, help="Judge a callable on tensors under torch.compile."),
    option(
        "--only",
        multiple=True,
        metavar="FAMILY",
        shell_complete=_complete,
        help="These families, or cases, alone, or a pattern of their names, as '*-mean'; repeatable.",
    ),
    option("--skip", multiple=True, metavar="FAMILY", shell_complete=_complete, help="Not these; repeatable."),
    option(
        "--dtype",
        "dtypes",
        multiple=True,
        type=click.Choice(["float64", "float32", "bfloat16", "float16"]),
        help="Cases whose logits have this dtype alone; repeatable.",
    ),
    option(
        "--reduction",
        "reductions",
        multiple=True,
        type=click.Choice(["mean", "sum", "none"]),
        help="Cases that ask for this reduction alone; repeatable.",
    ),
    option("-x", "--exitfirst", is_flag=True, help="Ask nothing more after the first failure."),
    option(
        "--grade",
        type=click.Choice(["shift-first", "16-bit-sum"]),
        help="Fail what only a cheaper way of computing explains; `xent explain grade`.",
    ),
    option("--large", is_flag=True, help="The cases of gigabytes and minutes too."),
    option("--xfail", type=click.Path(), metavar="FILE", help="Known failures, a case or family and a reason a line."),
    option("--examples", type=Whole(min=0), default=0, metavar="N", help="Random cases beyond the corpus."),
    option("--seed", type=Whole(min=0), metavar="INT", help="Of the random cases.  [default: 0]"),
    option(
        "--time-limit",
        type=Finite(min=0.1),
        default=20.0,
        show_default=True,
        metavar="SECONDS",
        help="A case's; a large one's is 15 times that.",
    ),
    option(
        "--start-limit",
        type=Finite(min=0.1),
        default=120.0,
        show_default=True,
        metavar="SECONDS",
        help="Until an implementation's first answer: imports take time.",
    ),
    option(
        "--memory-limit",
        type=Finite(min=0.1),
        default=4.0,
        show_default=True,
        metavar="GIB",
        help="An implementation's, with all processes that it starts.",
    ),
)

OTHER_OPTIONS = (
    option("--list", "listed", is_flag=True, help="Name the families and their cases, and judge nothing."),
    option("--export", type=click.Path(), metavar="DIR", help="Write the corpus to a folder, and judge nothing."),
    option("--self-check", is_flag=True, help="Judge the wrong and the correct doubles that xent ships."),
    option("--strict", is_flag=True, help="Expected failures that pass also give exit code 1."),
)


EXAMPLES = (
    "xent conform torch.nn.functional:cross_entropy --only plain --only masked",
    "xent conform --list --only plain",
)


@click.command(cls=Command, examples=EXAMPLES, epilog=EPILOG, short_help="Judge a cross-entropy that you wrote.")
@click.argument(
    "implementations",
    cls=Argument,
    nargs=-1,
    metavar="[IMPLEMENTATION]...",
    about="package.module:function or file.py:function, or such a class of nn.Module.",
)
@with_options(CHOICE_OPTIONS, OTHER_OPTIONS, output_options(TEXTS))
def conform(
    implementations: tuple[str, ...],
    loss: str | None,
    listed: bool,
    export: str | None,
    self_check: bool,
    **given: Any,
) -> int:
    """Judge implementations of cross-entropy against certified values.

    IMPLEMENTATION is package.module:function or file.py:function, with the signature of
    torch.nn.functional.cross_entropy, or a class of nn.Module. Each runs in a process of its own, where it may crash,
    hang or leak. The verdict of each family of faults is conforms, fails, differs by convention, or unsupported.
    """
    if given.pop("json"):
        given["form"] = "json"
    judged = (*implementations, *given["commands"])
    if judged and (listed or export is not None or self_check):
        raise UsageError("--list, --export and --self-check judge no implementation", found=" ".join(judged))
    if loss is not None:
        _refuse_plain_options(loss, given)
    if listed or export is not None:
        return _show_corpus(export, given) if loss is None else show(loss, export, given)
    if not judged and not self_check:
        raise UsageError(
            "there is nothing to judge", expected="IMPLEMENTATION, or --exec COMMAND", hint="xent conform --help"
        )
    from xentcli.render.conformance.registry import last_line, render

    given["silent"] = given["quiet"]
    presentation = Presentation(
        **{name: given.pop(name) for name in ("form", "output", "reports", "quiet", "exit_zero", "strict")},
        renderer=_render_check if self_check else render,
        last_line=last_line,
    )
    if loss is not None:
        return presentation.present(lambda: check(loss) if self_check else judge(loss, implementations, given))
    if self_check:
        return presentation.present(_self_check)
    return presentation.present(lambda: _judge(implementations, given))


conform.params = [param for param in conform.params if param.name != "rows"]  # a family is a row, and all are shown


PLAIN_OPTIONS: dict[str, object] = {  # and their defaults
    "arrays": "torch", "large": False, "xfail": None, "examples": 0, "seed": None, "dtypes": (), "reductions": (),
    "exitfirst": False, "grade": None, "declare": (), "device": "cpu", "compile": False,
}  # fmt: skip


REPEATED = {"dtypes": "dtype", "reductions": "reduction"}  # options that are given once for each value


def _refuse_plain_options(loss: str, given: dict[str, Any]) -> None:
    """What only the plain loss has must not be taken for something that was done."""
    for name, default in PLAIN_OPTIONS.items():
        if given[name] != default:
            spelled = REPEATED.get(name, name)
            raise UsageError(
                f"--{spelled} is for the plain loss",
                found=f"--{spelled} with --loss {loss}",
                hint=f"xent conform --list --loss {loss}",
            )


def _judge(implementations: tuple[str, ...], given: dict[str, Any]) -> ConformanceReport:
    from xentcli.conform.asking.channel import Limits
    from xentcli.conform.asking.declaration import declaration, words
    from xentcli.conform.asking.implementation import any_program, check_names, python_program
    from xentcli.conform.cases.corpus import corpus
    from xentcli.conform.run import conform as judged
    from xentcli.conform.telling.demands import Demands
    from xentcli.conform.xfail import read_expected

    cases = _cases(corpus(), given)  # a name that there is not is told before programs are made
    expected = read_expected(given["xfail"], corpus().names) if given["xfail"] else ()
    limits = Limits(
        start_seconds=given["start_limit"],
        case_seconds=given["time_limit"],
        memory_bytes=int(given["memory_limit"] * 2**30),
    )
    declared = words(given["declare"])
    declaration(declared, "--declare")
    _check_torch_only(implementations, given)
    setting = {"device": given["device"], "compiled": given["compile"]}
    programs = [python_program(path, given["arrays"], limits, declared, **setting) for path in implementations]
    programs += [any_program(command, limits, declared) for command in given["commands"]]
    check_names(programs)
    seed = (given["seed"] or 0) if given["examples"] else None
    demands = Demands(given["grade"], given["exitfirst"])
    with Telling(quiet=given["silent"]) as progress:
        return judged(programs, corpus(), cases, expected, seed=seed, progress=progress, demands=demands)


def _check_torch_only(implementations: tuple[str, ...], given: dict[str, Any]) -> None:
    """UsageError for what only tensors have, where there are none; and for a device that is not here."""
    for name, is_asked in (("--device", given["device"] != "cpu"), ("--compile", given["compile"])):
        if is_asked and (given["arrays"] != "torch" or not implementations):
            found = f"--arrays {given['arrays']}" if implementations else "programs alone"
            raise UsageError(f"{name} is for callables on torch's tensors", found=found)
    if given["device"] != "cpu":
        from xentcli.question.problem import check_device

        check_device(given["device"])


def _cases(corpus: Corpus, given: dict[str, Any]) -> tuple[Case, ...]:
    from xentcli.conform.cases.choosing import of_kind, spelled_out
    from xentcli.conform.cases.generated import generated

    only, skip = (spelled_out(given[name], corpus.names) for name in ("only", "skip"))
    chosen = (*corpus.chosen(only, skip, large=given["large"]), *generated(given["seed"] or 0, given["examples"]))
    return of_kind(chosen, given["dtypes"], given["reductions"]) if given["dtypes"] or given["reductions"] else chosen


def _show_corpus(export: str | None, given: dict[str, Any]) -> int:
    from xentcli.conform.cases.corpus import corpus

    cases = _cases(corpus(), given | {"large": True, "examples": 0})
    if export is not None:
        from xentcli.conform.cases.export import export as write

        count = write(Path(export), {case.name for case in cases})
        say(f"{count} cases of corpus {corpus().version} in {export}\n")
        return Exit.HOLDS
    for family, about in corpus().families.items():
        own = [case for case in cases if case.family == family]
        if own:
            say(f"{family}: {about}\n")
        for case in own:
            say(f"  {case.name}{'  (--large)' if case.large else ''}  {case.about}\n")
    return Exit.HOLDS


def _self_check() -> SelfCheck:
    from xentcli.conform.cases.corpus import corpus
    from xentcli.conform.run import tool
    from xentcli.conform.selfcheck import self_check

    with Telling() as progress:
        return self_check(corpus(), tool(), progress)


def _render_check(check: SelfCheck, form: str, page: Page) -> Iterator[str]:
    """What is made of doubles as it is; the other formats are made of cases."""
    from xentcli.conform.selfcheck import as_report
    from xentcli.render.conformance.registry import render
    from xentcli.render.conformance.selfcheck import FORMS
    from xentcli.render.conformance.selfcheck import render as render_doubles

    if form in FORMS:
        yield render_doubles(check, form, page)
    else:
        yield from render(as_report(check), form, page)
