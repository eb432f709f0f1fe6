"""One browser for all tests of a process, and none where none is installed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from driven import missing, started

if TYPE_CHECKING:
    from collections.abc import Iterator

    from selenium.webdriver import Chrome


@pytest.fixture(scope="session")
def driver() -> Iterator[Chrome]:
    """The browser."""
    if missing():
        pytest.skip(missing())
    with started() as found:
        yield found
