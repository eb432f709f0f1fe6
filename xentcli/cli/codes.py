"""The registry of codes on the command line."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xentcli.render.page import Page

ARRAYS = ("logits", "labels", "weight")
CODE = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


def is_code(text: str) -> bool:
    """Whether this is a known code, and no file."""
    if not CODE.fullmatch(text) or Path(text).exists():
        return False
    from xentcli.diagnose.codes import CODES

    return text in CODES


def listed(page: Page) -> str:
    """Every code with its definition."""
    from xentcli.diagnose.codes import CODES
    from xentcli.render.codes import listing

    codes = [code for meanings in CODES.values() for code in meanings]
    causes, findings = (
        [(code.code, code.definition) for code in codes if code.kind == kind] for kind in ("cause", "finding")
    )
    return listing(causes, findings, page)


def explained(name: str, page: Page) -> str:
    """What a code means, on its example; as a cause and as a finding where it is both."""
    from xentcli.diagnose.codes import CODES
    from xentcli.explain.shown import show
    from xentcli.render.codes import Meaning, numbers, one

    told = []
    for code in CODES[name]:
        shown = show(code)
        arrays = [(part, numbers(code.example[part])) for part in ARRAYS if part in code.example]
        meaning = Meaning(f"{name}, a {code.kind}", code.definition, tuple(arrays), shown.report, shown.said)
        told.append(one(meaning, page))
    return "\n".join(told)
