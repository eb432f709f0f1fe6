"""Each format's whole text, byte for byte; `XENT_UPDATE_GOLDEN=1 pytest tests/render` writes the files again."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from report_factory import REPORTS

from xentcli.render.page import Page
from xentcli.render.registry import TEXTS, render

GOLDEN = Path(__file__).parents[1] / "golden"
SHOWN = ("agreeing", "confidently_wrong", "unreduced")
FORMS = [form for form in TEXTS if form != "html"]  # of a page it is tested what is on it, not how it looks
UPDATE = os.environ.get("XENT_UPDATE_GOLDEN") == "1"


@pytest.mark.parametrize("name", SHOWN)
@pytest.mark.parametrize("form", FORMS)
def test_the_text_is_the_golden_one(form: str, name: str) -> None:
    """A text changes by accident, and scripts or readers that knew the old one are lost."""
    text = "".join(render(REPORTS[name](), form, Page(80, color=False)))
    golden = GOLDEN / f"render_{name}.{form}"
    if UPDATE:
        golden.write_bytes(text.encode())
    assert golden.read_bytes().decode() == text


def test_no_golden_file_is_left_over() -> None:
    """A golden file that no test compares seems to prove something."""
    expected = {f"render_{name}.{form}" for name in SHOWN for form in FORMS}
    assert {path.name for path in GOLDEN.glob("render_*")} == expected
