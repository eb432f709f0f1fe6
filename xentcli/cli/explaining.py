"""The command that explains a row of what was computed, as it can be pasted."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING, Any

from click.core import ParameterSource

from xentcli.cli.explain import explain
from xentcli.errors import without_secrets
from xentcli.sources.files import STANDARD_INPUT, split_key

if TYPE_CHECKING:
    from collections.abc import Iterator

    import click

HARMLESS = frozenset({  # options of other commands that leave the loss of a row as it is
    "atol", "block_bytes", "by", "bytes", "calibrate", "cluster", "cluster_timeout", "exit_zero", "expect",
    "expect_bpb", "expect_row", "form", "group", "jobs", "jobs_timeout", "json", "labels", "logits", "metrics",
    "output", "partial", "quiet", "reduction", "reference", "reports", "resume", "rows", "rtol", "samples", "save",
    "scale", "seed", "shard", "strict", "threads", "worst", "digits",
})  # fmt: skip
UNTOLD = {ParameterSource.DEFAULT, None}
OF_THE_REPORT = frozenset({"logits", "labels", "digits", "form", "json", "output", "row"})


def explaining(context: click.Context, given: dict[str, Any]) -> str:
    """The command but for `--row`; empty where none would tell the same: what comes once, or holds a secret."""
    files = [str(given[name]) for name in ("logits", "labels") if given[name] is not None]
    taken = {str(param.name): param for param in explain.params if param.name not in OF_THE_REPORT}
    told = {name for name in given if context.get_parameter_source(name) not in UNTOLD}
    if told - HARMLESS - taken.keys() or any(_comes_once(name) for name in files):
        return ""
    typed = (name for name in taken if context.get_parameter_source(name) == ParameterSource.COMMANDLINE)
    options = (word for name in typed if name in given for word in _words(taken[name], given[name]))
    return " ".join(["xent explain", *map(quote, files), *options])


def _comes_once(name: str) -> bool:
    return split_key(name)[0] == STANDARD_INPUT or without_secrets(name) != name


def _words(param: click.Parameter, value: Any) -> Iterator[str]:
    """An option as it is typed."""
    yield max(param.opts, key=len)
    if value is not True:
        yield quote(str(value))
