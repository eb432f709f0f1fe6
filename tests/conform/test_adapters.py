"""What is said of other people's libraries stands beside lines that show it, which run where the library is."""

from __future__ import annotations

import doctest
import re
from importlib.util import find_spec
from pathlib import Path

import pytest

README = (Path(__file__).parents[2] / "samples" / "adapters" / "README.md").read_text()
SECTIONS = dict(re.findall(r"^## (\S+).*?```python\n(.*?)```", README, re.MULTILINE | re.DOTALL))
MODULES = {"optax": "optax", "Keras": "keras", "ONNX": "onnx", "scikit-learn": "sklearn", "tinygrad": "tinygrad"}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("library", MODULES)
def test_what_is_said_of_a_library_is_what_it_does(library: str) -> None:
    """A finding that its authors cannot see again is slander."""
    if find_spec(MODULES[library]) is None:
        pytest.skip(f"{library} is not installed")
    lines = doctest.DocTestParser().get_doctest(SECTIONS[library], {}, library, "README.md", 0)
    assert len(lines.examples) > 3
    said: list[str] = []
    doctest.DocTestRunner(verbose=False).run(lines, out=said.append)
    assert not said, "".join(said)


def test_every_adapter_is_told_of() -> None:
    """An adapter without a finding is a file that nobody ran."""
    adapters = {path.stem.removesuffix("_adapter") for path in Path(__file__).parents[2].glob("samples/adapters/*.py")}
    assert adapters == set(MODULES.values())
    assert SECTIONS.keys() == set(MODULES)
