"""The command line with a report at hand instead of a computed one: every stream, signal and file, but no torch.

`python instant.py compute LOGITS LABELS` gives the report on two confidently wrong rows, which differs; with `--rows N`
the report has about as many samples, and with `--digits 1000` it takes for ever.
"""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING
from unittest.mock import patch

from report_factory import confidently_wrong

from xentcli.cli.inputs import Inputs
from xentcli.cli.main import main
from xentcli.cli.request import Request

if TYPE_CHECKING:
    from xentcli.policy import Policy
    from xentcli.records import Report


def run(_problem: object, policy: Policy, **_: object) -> Report:
    while policy.digits == 1000:
        time.sleep(0.1)
    report = confidently_wrong()
    return replace(report, samples=report.samples * (1 + policy.rows // len(report.samples)))


def nothing(*_: object) -> tuple[()]:
    return ()


if __name__ == "__main__":
    with (
        patch.dict(sys.modules, {"xentcli.engine": SimpleNamespace(run=run)}),
        patch.object(Inputs, "read", nothing),
        patch.object(Request, "problem", nothing),
    ):
        main()
