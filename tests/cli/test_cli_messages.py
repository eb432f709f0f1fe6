"""What a mistake is answered with: what is wrong, where, what was found, what was expected, and what to do."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pytest
from process import is_one_error, xent_here

if TYPE_CHECKING:
    from pathlib import Path

TEXTS = {
    "x.csv": "a,b,c\n0.1,0.2,0.3\n1,2,3\n\n4,5,6.5\n",
    "y.csv": "label\n0\n2\n1\n",
    "from_one.csv": "label\n1\n3\n2\n",
    "padded.csv": "0\n-1\n1\n",
    "half.csv": "0\n0.5\n1\n",
    "p.csv": "1,0,0\n0,1,0\n0.5,0.25,0.25\n",
    "short.csv": "0\n1\n",
    "two.csv": "1\n2\n",
    "nan.csv": "1\nnan\n3\n",
    "w.csv": "1\n2\n3\n",
    "both.csv": "a,b,label\n0.5,1.5,1\n0.25,0.75,0\n",
}
ARRAYS = {
    "x.npy": np.arange(12, dtype=np.float32).reshape(2, 3, 2),
    "y.npy": np.array([[0, 1], [2, 3]]),
    "counts.npy": np.diag([1, 2, 1]),
    "square.npy": np.zeros((3, 3), np.float32),
}


@dataclass(frozen=True)
class Mistake:
    """A command line, and what its message says under each of its words."""

    arguments: str
    what: tuple[str, ...]
    at: tuple[str, ...] = ()
    found: tuple[str, ...] = ()
    expected: tuple[str, ...] = ()
    hint: tuple[str, ...] = field(default=())


COMPUTE = "xent compute --help"
MISTAKES = {
    "unknown dtype": Mistake(
        "x.csv y.csv --dtype float8",
        what=("--dtype", "'float8'", "'float64', 'float32', 'bfloat16', 'float16'"),
        hint=(COMPUTE,),
    ),
    "labels missing": Mistake(
        "both.csv",
        what=("labels are missing",),
        expected=("LABELS, or --label-column NAME",),
        hint=("xent compute both.csv --label-column label",),
    ),
    "column unknown": Mistake(
        "both.csv --label-column lable",
        what=("no column",),
        at=("both.csv, line 1",),
        found=("'lable'",),
        expected=("a, b, label",),
    ),
    "class axis out of range": Mistake(
        "x.npy y.npy --class-axis 3", what=("no axis 3",), found=("2 × 3 × 2",), expected=("--class-axis from -3 to 2",)
    ),
    "class axis too negative": Mistake(
        "x.csv y.csv --class-axis -3", what=("no axis -3",), found=("3 × 3",), expected=("from -2 to 1",)
    ),
    "label out of range": Mistake(
        "x.csv from_one.csv",
        what=("label 3 is out of range", "3 classes, 0 to 2"),
        at=("from_one.csv, line 3", "(row 1)"),
        hint=("start at 1? subtract 1",),
    ),
    "label out of range in an array": Mistake(
        "x.npy y.npy", what=("label 3 is out of range", "0 to 2"), at=("y.npy, element [1, 1]", "(row 3)")
    ),
    "label of padding": Mistake(
        "x.csv padded.csv",
        what=("label -1 is out of range",),
        at=("padded.csv, line 2", "(row 1)"),
        hint=("padding? --ignore-index -1",),
    ),
    "label that is no integer": Mistake(
        "x.csv half.csv", what=("label 0.5 is not a class index",), at=("half.csv, line 2",), expected=("an integer",)
    ),
    "too few labels": Mistake(
        "x.csv short.csv",
        what=("does not fit the logits",),
        at=("short.csv",),
        found=("(2, 1)", "(3, 3) in x.csv"),
        expected=("shape (3,) (labels)", "shape (3, 3) (probabilities)"),
    ),
    "one-hot integers": Mistake(
        "square.npy counts.npy",
        what=("neither one-hot nor a label",),
        at=("counts.npy, sample [1]",),
        found=("0 ones",),
        hint=("astype('float32')",),
    ),
    "weights of another length": Mistake(
        "x.csv y.csv --weight two.csv",
        what=("class weights do not fit",),
        at=("two.csv",),
        found=("2",),
        expected=("3 numbers, one a class",),
    ),
    "weight that is no number": Mistake(
        "x.csv y.csv --weight nan.csv", what=("class weight is not finite",), at=("nan.csv, line 2",), found=("nan",)
    ),
    "ignore index with probabilities": Mistake(
        "x.csv p.csv --ignore-index 3",
        what=("ignore_index does not go with target probabilities",),
        found=("--ignore-index 3", "p.csv"),
        hint=("row of zeros",),
    ),
    "claim without a total": Mistake(
        "x.csv y.csv --expect 1.5 --reduction none",
        what=("no total",),
        found=("--reduction none and --expect",),
    ),
    "claim that is no number": Mistake(
        "x.csv y.csv --expect 1,5", what=("no number",), found=("'1,5'",), expected=("2.3026", "1e-4", "nan")
    ),
    "digits without a reference": Mistake(
        "x.csv y.csv --reference off --digits 9",
        what=("need the true value",),
        found=("--reference off",),
        hint=("leave it out",),
    ),
    "smoothing out of range": Mistake(
        "x.csv y.csv --label-smoothing 1.5", what=("--label-smoothing", "1.5", "0<=x<=1"), hint=(COMPUTE,)
    ),
    "tolerance below zero": Mistake("x.csv y.csv --atol -1", what=("--atol", "-1", "x>=0"), hint=(COMPUTE,)),
    "no threads": Mistake("x.csv y.csv --threads 0", what=("--threads", "0", "1<=x<=1024"), hint=(COMPUTE,)),
    "a size in no unit": Mistake(
        "x.csv y.csv --block-bytes 4Q", what=("--block-bytes", "'4Q'", "4MiB, 512K or 8388608"), hint=(COMPUTE,)
    ),
    "option misspelt": Mistake(
        "x.csv y.csv --ignore_index 3", what=("--ignore_index", "--ignore-index"), hint=(COMPUTE,)
    ),
    "logits missing": Mistake("", what=("LOGITS",), hint=(COMPUTE,)),
    "file missing": Mistake("nothing.npy y.csv", what=("no such file",), at=("nothing.npy",)),
    "folder of all kinds": Mistake(
        ". y.csv", what=("a column that is no class",), at=(".csv",), hint=("a pattern chooses some",)
    ),
    "directory of weights": Mistake("x.csv y.csv --weight .", what=("directory",), at=(".",)),
    "pattern of nothing": Mistake("n-*.npy y.csv", what=("no file matches",), at=("n-*.npy",)),
    "one file too many": Mistake("x.csv y.csv w.csv", what=("unexpected", "w.csv"), hint=(COMPUTE,)),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small files that fit together, and some that do not."""
    path = tmp_path_factory.mktemp("messages")
    for name, content in TEXTS.items():
        (path / name).write_text(content)
    for name, values in ARRAYS.items():
        np.save(path / name, values)
    return path


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES)
def test_a_message_says_it_all(mistake: Mistake, folder: Path) -> None:
    """Whoever reads the message must be able to mend the mistake without looking anything up."""
    ended = xent_here("compute", *mistake.arguments.split(), cwd=folder)
    assert is_one_error(ended), ended
    said = {line[2:12].strip(): line[12:] for line in ended.err.splitlines()[1:]}
    said["what"] = ended.err.splitlines()[0]
    for name in ("what", "at", "found", "expected", "hint"):
        for word in getattr(mistake, name):
            assert word in said.get(name, ""), (name, ended.err)


def test_what_click_says_in_several_lines_is_one(tmp_path: Path) -> None:
    """Escapes in the place of lines read like a bug."""
    ended = xent_here("completion", cwd=tmp_path)
    assert is_one_error(ended), ended
    assert ended.err.startswith("error: Missing argument '{bash|zsh|fish}'. Choose from: bash, zsh, fish\n")


@pytest.mark.parametrize("arguments", ["x.csv y.csv", "x.csv p.csv", "x.csv y.csv --weight w.csv", "square.npy y.csv"])
def test_without_the_mistake_there_is_a_loss(arguments: str, folder: Path) -> None:
    """The files of the test above are wrong in one way only: put together rightly they are computed."""
    assert xent_here("compute", *arguments.split(), "-q", cwd=folder).code == 0
