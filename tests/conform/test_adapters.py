"""What is said of other people's libraries stands beside lines that show it, which run where the library is."""

from __future__ import annotations

import doctest
import json
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from xentcli.conform.asking.channel import Limits
from xentcli.conform.asking.implementation import python_program
from xentcli.conform.battery import run
from xentcli.conform.cases.corpus import corpus

README_PATH = Path(__file__).parents[2] / "samples" / "adapters" / "README.md"
README = README_PATH.read_text()
SECTIONS = dict(re.findall(r"^## (\S+).*?```python\n(.*?)```", README, re.MULTILINE | re.DOTALL))
MODULES = {"optax": "optax", "Keras": "keras", "ONNX": "onnx", "scikit-learn": "sklearn", "tinygrad": "tinygrad",
           "transformers": "transformers", "numpy-ml": "numpy_ml",
           "cut-cross-entropy": "cut_cross_entropy", "Liger-Kernel": "liger_kernel"}  # fmt: skip
OF_DEVICES = {"Liger-Kernel"}  # they compute on a GPU alone


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("library", MODULES)
def test_what_is_said_of_a_library_is_what_it_does(library: str) -> None:
    """A finding that its authors cannot see again is slander."""
    if find_spec(MODULES[library]) is None:
        pytest.skip(f"{library} is not installed")
    if library in OF_DEVICES and not torch.cuda.is_available():
        pytest.skip(f"{library} wants a CUDA device, and there is none")
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


# adapter, arrays, a family that fails, and one that conforms
VERDICTS = {
    "transformers": ("torch", "masked", "ties"),
    "numpy_ml": ("numpy", "gaps", "ties"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", VERDICTS)
def test_an_adapter_has_its_verdict(name: str) -> None:
    """A declaration beside a function must be read where the function is another project's."""
    if find_spec(name) is None:
        pytest.skip(f"{name} is not installed")
    arrays, wrong, right = VERDICTS[name]
    path = Path(__file__).parents[2] / "samples" / "adapters" / f"{name}_adapter.py"
    with python_program(str(path), arrays, Limits()) as program:
        result = run(program, corpus().chosen([wrong, right], (), large=False), corpus().families)
    verdicts = {family.family: family.verdict for family in result.families}
    assert verdicts[wrong] == "fails"
    assert verdicts[right].startswith("conforms")
    assert not result.miswired


@pytest.mark.slow
def test_the_fused_adapter_has_its_verdict() -> None:
    """The corpus of the fused loss must be one that a released kernel can pass."""
    if find_spec("cut_cross_entropy") is None:
        pytest.skip("cut-cross-entropy is not installed")
    path = "samples/adapters/cut_cross_entropy_adapter.py:loss"
    line = [sys.executable, "-m", "xentcli", "conform", "--loss", "linear", path, "--time-limit", "200", "--json"]
    result = subprocess.run(line, cwd=README_PATH.parents[2], capture_output=True, text=True, timeout=900, check=False)
    (judged,) = json.loads(result.stdout)["implementations"]
    verdicts = {family["family"]: family["verdict"] for family in judged["families"]}
    assert {name for name, verdict in verdicts.items() if verdict == "fails"} == {"plain"}
    assert verdicts["vocabulary"] == "conforms"
