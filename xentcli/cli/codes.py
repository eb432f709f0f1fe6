"""The codes and the words that `xent explain` explains."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from click.shell_completion import CompletionItem

from xentcli.errors import InputError, did_you_mean
from xentcli.sources.files import exists

if TYPE_CHECKING:
    import click

    from xentcli.comparing.finding_codes import PairFinding
    from xentcli.docs.glossary import Word
    from xentcli.render.page import Page

CODES_TOO = "\n`xent explain WORD` explains one in full; `xent explain --codes` lists causes and findings.\n"
WORDS_TOO = "\n`xent explain CODE` explains one; `xent explain --words` lists the words of tables and verdicts.\n"
ARRAYS = ("logits", "labels", "weight", "head", "bias")
CODE = re.compile(r"[a-z0-9]+([-+.]+[a-z0-9]+)*")
CORPUS = Path(__file__).parent.parent / "conform" / "data" / "corpus.json"  # read without torch, which takes its time


def meaning(first: str, second: str | None, page: Page) -> str:
    """What a word (or two) or a code means, both where it is both; nothing for a file, and for what is neither.

    Errors: InputError for a name that only a word or a code could have, and that none has.
    """
    if exists(first):
        return ""
    name = first if second is None else f"{first} {second}"
    from xentcli.docs.glossary import find

    word = find(name)
    told = [] if word is None else [_word(word, page)]
    if CODE.fullmatch(name):
        from xentcli.comparing.causes.codes import PAIR_CODES
        from xentcli.diagnose.codes import CODES

        told += [explained(name, page)] if name in CODES else []
        told += [explained_pair(name, page)] if name in PAIR_CODES else []
        told += _findings_of_pairs(name, page)
        told += [_family(name, page)] if name in families() else []
        told = told or _fault(name, page)
        if not told:
            raise _unknown(name)
    return "\n".join(told)


@cache
def corpus() -> dict[str, Any]:
    """The battery of `xent conform`, as JSON."""
    content: dict[str, Any] = json.loads(CORPUS.read_text(encoding="utf-8"))
    return content


def families() -> dict[str, str]:
    """The families of the battery, with what is asked in each."""
    found: dict[str, str] = corpus()["families"]
    return found


def names() -> list[str]:
    """Everything that can be explained: codes, words, and families of the battery."""
    from xentcli.comparing.causes.codes import PAIR_CODES
    from xentcli.comparing.finding_codes import PAIR_FINDINGS
    from xentcli.diagnose.codes import CODES
    from xentcli.docs.glossary import words

    return sorted(
        {
            *CODES,
            *families(),
            *PAIR_CODES,
            *(each.code for each in PAIR_FINDINGS),
            *(name for word in words() for name in word.names),
        }
    )


def complete(_context: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """What begins so, and the files, which the shell knows better."""
    files = CompletionItem(incomplete, type="file")
    if not incomplete:
        return [files]
    return [files, *(CompletionItem(name) for name in names() if name.startswith(incomplete) and " " not in name)]


def word_list(page: Page) -> str:
    """Every word of the glossary with its first sentence."""
    from xentcli.docs.glossary import words
    from xentcli.render.codes import glossary

    return glossary([(word.names[0], word.brief) for word in words()], page) + CODES_TOO


def listed(page: Page) -> str:
    """Every code with its definition."""
    from xentcli.comparing.causes.codes import PAIR_CAUSES
    from xentcli.comparing.finding_codes import PAIR_FINDINGS
    from xentcli.diagnose.codes import CODES
    from xentcli.render.codes import listing

    codes = [code for meanings in CODES.values() for code in meanings]
    causes, findings = (
        [(code.code, code.definition) for code in codes if code.kind == kind] for kind in ("cause", "finding")
    )
    pairs = [(code.code, code.definition) for code in (*PAIR_CAUSES, *PAIR_FINDINGS)]
    return listing(causes, pairs, findings, page) + WORDS_TOO


def explained(name: str, page: Page) -> str:
    """What a code means, on its example; as a cause and as a finding where it is both."""
    from xentcli.diagnose.codes import CODES
    from xentcli.explain.shown import show
    from xentcli.render.codes import Meaning, numbers, one

    told = []
    for code in CODES[name]:
        shown = show(code)
        arrays = [(part, numbers(code.example[part])) for part in ARRAYS if part in code.example]
        facts = [(word, text) for word, text in (("formula", code.formula), ("source", code.source)) if text]
        title = f"{name}, a {code.kind}"
        meaning = Meaning(title, code.definition, tuple(facts), tuple(arrays), shown.report, shown.said)
        told.append(one(meaning, page))
    return "\n".join(told)


def _family(name: str, page: Page) -> str:
    """What a family asks, the reports that it comes from, and its cases."""
    from xentcli.render.codes import entry

    cases = [case for case in corpus()["cases"] if case["name"].startswith(f"{name}/")]
    reports = dict.fromkeys(report for case in cases for report in case["reports"])
    lines = [f"    {case['name'].partition('/')[2]}  {case['about']}" for case in cases]
    parts = (
        f"{families()[name]}.",
        f"{len(cases)} cases of `xent conform --only {name}`:",
        "\n".join(lines),
        "It comes from these public reports:" if reports else "",
        "\n".join(f"    {report}" for report in reports),
    )
    return entry(f"{name}, a family of cases", "\n\n".join(filter(None, parts)), page)


def _fault(name: str, page: Page) -> list[str]:
    """What the name of a fault says that `xent conform` found; all have a hyphen, and their module imports torch."""
    if "-" not in name:
        return []
    from xentcli.conform.naming.names import NAMES
    from xentcli.render.codes import entry

    if name not in NAMES:
        return []
    fault = NAMES[name]
    known = "\n".join(f"    {report}" for report in fault.known)
    text = "\n\n".join(filter(None, (f"{fault.statement}.", f"{fault.why}." if fault.why else "", known)))
    return [entry(f"{name}, a fault of an implementation", text, page)]


def explained_pair(name: str, page: Page) -> str:
    """What a mistake about two sets of logits is, on its example."""
    from xentcli.comparing.shown import show
    from xentcli.render.codes import PairMeaning, of_pair

    shown = show(name)
    facts = [(word, text) for word, text in (("formula", shown.code.formula), ("source", shown.code.source)) if text]
    title = f"{name}, a cause of a claim about two sets of logits"
    return of_pair(PairMeaning(title, shown.code.definition, tuple(facts), shown.claimed, shown.said), page)


def _findings_of_pairs(name: str, page: Page) -> list[str]:
    """What a finding about two sets of logits means."""
    from xentcli.comparing.finding_codes import PAIR_FINDINGS

    return [_finding_of_pair(each, page) for each in PAIR_FINDINGS if each.code == name]


def _finding_of_pair(finding: PairFinding, page: Page) -> str:
    from xentcli.render.codes import entry

    return entry(f"{finding.code}, a finding about two sets of logits", finding.definition, page)


def _word(word: Word, page: Page) -> str:
    from xentcli.render.codes import entry

    return entry(", ".join(word.names), word.text, page)


def _unknown(name: str) -> InputError:
    return InputError(
        "no such file",
        at=name,
        expected="files of logits and labels, or a word or a code to explain",
        hint=did_you_mean(name, names(), "xent explain --words"),
    )
