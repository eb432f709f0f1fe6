"""The registry: everything that xent may say of a claim or of an input, by its code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xentcli.diagnose.cause_codes import CAUSES
from xentcli.diagnose.finding_codes import FINDINGS

if TYPE_CHECKING:
    from xentcli.diagnose.code import Code

CODES: dict[str, tuple[Code, ...]] = {}
for each in (*CAUSES, *FINDINGS):
    CODES[each.code] = (*CODES.get(each.code, ()), each)  # softmax-underflow is both
