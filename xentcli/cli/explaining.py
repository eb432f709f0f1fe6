"""The command that explains a row of what was computed, as it can be pasted."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING, Any

from click.core import ParameterSource

from xentcli.cli.explain import explain
from xentcli.errors import harmless, without_secrets
from xentcli.sources.files import STANDARD_INPUT, split_key
from xentcli.sources.tabular import DEFAULT

if TYPE_CHECKING:
    from collections.abc import Iterator

    import click

    from xentcli.records.report import OptionsInfo
    from xentcli.sources.named import NamedInputs

HARMLESS = frozenset({  # options of other commands that leave the loss of a row as it is
    "atol", "block_bytes", "by", "bytes", "calibrate", "cluster", "cluster_timeout", "exit_zero", "expect",
    "expect_bpb", "expect_row", "form", "group", "jobs", "jobs_timeout", "json", "labels", "logits", "metrics",
    "output", "partial", "quiet", "reduction", "reference", "reports", "resume", "rows", "rtol", "samples", "save",
    "scale", "seed", "shard", "strict", "threads", "worst", "digits",
})  # fmt: skip
UNTOLD = {ParameterSource.DEFAULT, None}
OF_THE_REPORT = frozenset({"logits", "labels", "digits", "form", "json", "output", "reports", "row"})


def explaining(context: click.Context, given: dict[str, Any]) -> str:
    """The command but for `--row`; empty where none would tell the same: what comes once, or holds a secret."""
    files = [str(given[name]) for name in ("logits", "labels") if given[name] is not None]
    taken = {str(param.name): param for param in explain.params if param.name not in OF_THE_REPORT}
    told = {name for name in given if context.get_parameter_source(name) not in UNTOLD}
    if told - HARMLESS - taken.keys():
        return ""
    typed = (name for name in taken if context.get_parameter_source(name) == ParameterSource.COMMANDLINE)
    return _command(files, {name: given[name] for name in typed if name in given})


def explaining_named(inputs: NamedInputs, options: OptionsInfo, dtype: str) -> str:
    """The same of what was computed before, of logits of this dtype, by the names and the options that it had."""
    if inputs.table != DEFAULT:  # as it was read, not as it was typed
        return ""
    of_inputs = ("label_column", "key", "class_axis", "binary", "head", "bias")
    known = vars(options) | {name: getattr(inputs, name) for name in of_inputs}
    usual = {str(param.name): param.default for param in explain.params} | {"dtype": dtype}
    asked = {name: known[name] for name in usual if name in known and known[name] not in {usual[name], None, False}}
    return _command([each for each in (inputs.logits, inputs.labels) if each is not None], asked)


def _command(files: list[str], options: dict[str, Any]) -> str:
    """Of these files with these options; empty where the files cannot be named on a line, or come only once."""
    if any(split_key(name)[0] == STANDARD_INPUT or harmless(without_secrets(name)) != name for name in files):
        return ""
    params = {str(param.name): param for param in explain.params}
    ordered = (name for name in params if name in options)
    words = (word for name in ordered for word in _words(params[name], options[name]))
    return " ".join(["xent explain", *map(quote, files), *words])


def _words(param: click.Parameter, value: Any) -> Iterator[str]:
    """An option as it is typed."""
    yield max(param.opts, key=len)
    if value is not True:
        yield quote(str(value))
