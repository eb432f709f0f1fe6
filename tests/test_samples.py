"""The samples say what they claim: their bytes, their losses, and the training that made the digits."""

from __future__ import annotations

import argparse
import gzip
import runpy
import shlex
import struct
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from torch.nn.functional import cross_entropy

if TYPE_CHECKING:
    from collections.abc import Callable

    from click import Command
    from click.testing import Result
    from numpy.typing import NDArray

ROOT = Path(__file__).parents[1]
SAMPLES = ROOT / "samples"


def script_command(name: str) -> Command:
    """The click command of a script in `samples/`, which is no package to import from."""
    command: Command = runpy.run_path(str(SAMPLES / name))["main"]
    return command


def files_below(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# --- the lessons ---


def test_make_lessons_writes_the_committed_bytes(tmp_path: Path) -> None:
    """A sample edited by hand would no longer be what its script says it is."""
    result = CliRunner().invoke(script_command("make_lessons.py"), ["--output", str(tmp_path)])
    assert result.exit_code == 0, result.output
    made = files_below(tmp_path)
    folders = {name.split("/")[0] for name in made}
    committed = {f"{folder}/{name}": data for folder in folders for name, data in files_below(SAMPLES / folder).items()}
    assert made == committed
    assert folders | {"digits"} == {folder for folder, _, _ in readme_rows()}


def readme_rows() -> list[tuple[str, str, str]]:
    """Folder, command and loss of each row of the table in samples/README.md."""
    lines = (SAMPLES / "README.md").read_text(encoding="utf-8").splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| [")]
    return [(folder.split("`")[1].rstrip("/"), command.strip("`"), loss) for folder, _, command, loss in cells]


def parse(command: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("logits", type=Path)
    parser.add_argument("labels", type=Path, nargs="?")
    parser.add_argument("--weight", type=Path)
    parser.add_argument("--class-axis", type=int, default=1)
    parser.add_argument("--label-column")
    words = shlex.split(command)
    assert words[:2] == ["xent", "compute"]
    return parser.parse_args(words[2:])


def read(path: Path) -> torch.Tensor:
    """A sample file the plain way: CSV as float32, or int64 where it is a column of labels."""
    if path.suffix == ".npy":
        return torch.from_numpy(np.load(path, allow_pickle=False))
    dtype = np.int64 if path.stem == "labels" else np.float32
    return torch.from_numpy(np.loadtxt(path, dtype=dtype, delimiter=",", skiprows=1))


def read_problem(arguments: argparse.Namespace) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits with the classes on axis 1, as torch wants them, and their targets."""
    table = read(ROOT / arguments.logits)
    if arguments.label_column is None:
        return table.movedim(arguments.class_axis, 1), read(ROOT / arguments.labels)
    header = (ROOT / arguments.logits).read_text(encoding="ascii").splitlines()[0].split(",")
    column = header.index(arguments.label_column)
    classes = [index for index in range(len(header)) if index != column]
    return table[:, classes], table[:, column].long()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize(("folder", "command", "loss"), readme_rows(), ids=[row[0] for row in readme_rows()])
def test_the_readme_gives_the_loss_of_plain_torch(folder: str, command: str, loss: str, dtype: torch.dtype) -> None:
    """A learner compares the tool's number with this one; a wrong one teaches a wrong lesson."""
    arguments = parse(command)
    assert arguments.logits.parts[:2] == ("samples", folder)
    logits, targets = read_problem(arguments)
    targets = targets.to(dtype) if targets.is_floating_point() else targets
    weight = None if arguments.weight is None else read(ROOT / arguments.weight).to(dtype)
    assert f"{cross_entropy(logits.to(dtype), targets, weight=weight).item():.5f}" == loss


def test_the_readme_has_every_file() -> None:
    """A sample without a row is one that nobody can use, a row without its files one that fails."""
    named = {word for _, command, _ in readme_rows() for word in command.split() if "/" in word}
    folders = [folder for folder, _, _ in readme_rows()]
    committed = {f"samples/{folder}/{name}" for folder in folders for name in files_below(SAMPLES / folder)}
    csv_twins = {"samples/digits/logits.csv", "samples/digits/labels.csv"}
    compared = {f"samples/digits/{name}.npy" for name in ("int8", "int4", "floor")}
    assert named == committed - csv_twins - compared


def test_confident_wrong_is_120_and_its_softmax_is_zero() -> None:
    """The lesson needs both: a finite loss, and a textbook path that cannot see it."""
    logits, labels = (read(SAMPLES / "confident_wrong" / name) for name in ("logits.npy", "labels.npy"))
    library = cross_entropy(logits, labels, reduction="none")
    textbook = -logits.softmax(dim=1).gather(1, labels[:, None]).squeeze(1).log()
    assert library[1].item() == 120.0
    assert textbook[1].item() == float("inf")
    torch.testing.assert_close(textbook[[0, 2, 3]], library[[0, 2, 3]])


def test_one_hot_targets_are_the_labels_they_stand_for() -> None:
    """The lesson of `one_hot` is that this is the same number."""
    logits, targets = (read(SAMPLES / "one_hot" / name) for name in ("logits.csv", "targets.csv"))
    by_label = cross_entropy(logits, targets.argmax(dim=1))
    torch.testing.assert_close(cross_entropy(logits, targets), by_label)


def test_the_numbers_in_the_lessons() -> None:
    """The table names two more numbers than its losses; they must be as right as those."""
    lessons = (SAMPLES / "README.md").read_text(encoding="utf-8")
    targets = read(SAMPLES / "soft" / "targets.csv")
    entropy = -torch.xlogy(targets, targets).sum(dim=1).mean().item()
    assert f"the entropy of the targets, here {entropy:.5f}" in lessons
    logits, labels = (read(SAMPLES / "weights" / name) for name in ("logits.csv", "labels.csv"))
    assert f"{cross_entropy(logits, labels).item():.5f} without weights" in lessons


def test_no_label_of_masked_is_masked() -> None:
    """A label on a masked class would be an infinite loss, which is another lesson."""
    logits, labels = (read(SAMPLES / "masked" / name) for name in ("logits.csv", "labels.csv"))
    assert logits.isneginf().any()
    assert logits.gather(1, labels[:, None]).isfinite().all()


def test_the_samples_are_small() -> None:
    """They travel with every clone and every source distribution."""
    assert sum(len(data) for data in files_below(SAMPLES).values()) < 200_000


# --- the digits ---


def test_the_digits_csv_is_the_npy() -> None:
    """Who works from the CSV must get the very same loss."""
    for name in ("logits", "labels"):
        array = read(SAMPLES / "digits" / f"{name}.npy")
        assert torch.equal(read(SAMPLES / "digits" / f"{name}.csv"), array)


def test_the_digits_were_learned() -> None:
    """A network that guesses would be no example of a held-out loss."""
    logits, labels = (read(SAMPLES / "digits" / name) for name in ("logits.npy", "labels.npy"))
    assert (logits.dtype, logits.shape, labels.dtype) == (torch.float32, (450, 10), torch.int64)
    assert (logits.argmax(dim=1) == labels).double().mean() > 0.95


def loss_of(folder: Path) -> float:
    return cross_entropy(read(folder / "logits.npy"), read(folder / "labels.npy")).item()


def printed_loss(output: str) -> float:
    *_, last = output.splitlines()
    return float(last.removeprefix("held-out loss "))


@pytest.mark.slow
def test_training_prints_the_loss_of_the_files_it_writes(tmp_path: Path) -> None:
    """The tutorial compares the printed loss with the tool's, digit for digit."""
    words = [sys.executable, str(SAMPLES / "train_digits.py"), "--epochs", "1", "--output", str(tmp_path)]
    process = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (process.returncode, process.stderr) == (0, "")
    assert printed_loss(process.stdout) == loss_of(tmp_path)
    for name in ("logits", "labels"):
        assert torch.equal(read(tmp_path / f"{name}.csv"), read(tmp_path / f"{name}.npy"))


# --- MNIST files ---


def idx(array: NDArray[np.uint8]) -> bytes:
    """The array as an IDX file: two zeros, 8 for unsigned bytes, the number of dimensions, the sizes, the bytes."""
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def mnist_files() -> dict[str, bytes]:
    generator = np.random.default_rng(0)
    files: dict[str, bytes] = {}
    for part, count in (("train", 40), ("t10k", 12)):
        images = generator.integers(0, 256, size=(count, 5, 4), dtype=np.uint8)
        labels = generator.integers(0, 10, size=count, dtype=np.uint8)
        files |= {f"{part}-images-idx3-ubyte": idx(images), f"{part}-labels-idx1-ubyte": idx(labels)}
    return files


def write_files(folder: Path, files: dict[str, bytes]) -> Path:
    folder.mkdir()
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder


def train_on(folder: Path, output: Path) -> Result:
    words = ["--mnist", str(folder), "--output", str(output), "--epochs", "1"]
    return CliRunner().invoke(script_command("train_digits.py"), words)


def gzipped(files: dict[str, bytes]) -> dict[str, bytes]:
    return {f"{name}.gz": gzip.compress(data) for name, data in files.items()}


@pytest.mark.parametrize("packed", [lambda files: files, gzipped], ids=["raw", "gz"])
def test_mnist_files_train(packed: Callable[[dict[str, bytes]], dict[str, bytes]], tmp_path: Path) -> None:
    """MNIST is handed out both ways; neither may need unpacking by hand."""
    result = train_on(write_files(tmp_path / "mnist", packed(mnist_files())), tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert printed_loss(result.stdout) == loss_of(tmp_path / "out")
    assert torch.equal(read(tmp_path / "out" / "labels.npy"), torch.from_numpy(held_out_labels()))


def held_out_labels() -> NDArray[np.int64]:
    return np.frombuffer(mnist_files()["t10k-labels-idx1-ubyte"], np.uint8, offset=8).astype(np.int64)


IMAGES, LABELS = "train-images-idx3-ubyte", "t10k-labels-idx1-ubyte"
MALFORMED = {
    "empty": (IMAGES, b"", "starts with nothing, expected 00 00 08 03"),
    "wrong magic": (IMAGES, idx(np.zeros(40, np.uint8)), "starts with 00 00 08 01, expected 00 00 08 03"),
    "short header": (IMAGES, bytes([0, 0, 8, 3, 0, 0]), "ends after 6 bytes, inside its header of 16 bytes"),
    "truncated": (IMAGES, mnist_files()[IMAGES][:-1], "the header announces 40 x 5 x 4 bytes, found 799"),
    "trailing": (IMAGES, mnist_files()[IMAGES] + b"\0", "the header announces 40 x 5 x 4 bytes, found 801"),
    "other pixels": (IMAGES, idx(np.zeros((40, 5, 5), np.uint8)), "train images have 25 pixels, t10k images 20"),
    "no pixels": (IMAGES, idx(np.zeros((40, 0, 4), np.uint8)), "the train images are empty"),
    "counts": (LABELS, idx(np.zeros(11, np.uint8)), "12 t10k images, but 11 t10k labels"),
    "label 10": (LABELS, idx(np.full(12, 10, np.uint8)), "t10k label 10 is out of range, expected 0 to 9"),
}


@pytest.mark.parametrize(("name", "data", "sentence"), MALFORMED.values(), ids=MALFORMED)
def test_malformed_files_are_refused_in_one_line(name: str, data: bytes, sentence: str, tmp_path: Path) -> None:
    """A half-downloaded MNIST must not train on rubbish, nor leave files that look like a result."""
    folder = write_files(tmp_path / "mnist", mnist_files() | {name: data})
    assert_refused(train_on(folder, tmp_path / "out"), sentence, tmp_path / "out")


PACKED = gzip.compress(mnist_files()[LABELS], mtime=0)
BAD_GZ = {
    "not gzip": b"<html>not found</html>",
    "cut off": PACKED[:-9],
    "damaged": PACKED[:10] + b"\xff" * 8 + PACKED[18:],
}


@pytest.mark.parametrize("data", BAD_GZ.values(), ids=BAD_GZ)
def test_a_bad_gz_is_refused_in_one_line(data: bytes, tmp_path: Path) -> None:
    """A mirror's error page is saved under the name of the data set more often than one thinks."""
    folder = write_files(tmp_path / "mnist", gzipped(mnist_files()) | {f"{LABELS}.gz": data})
    assert_refused(train_on(folder, tmp_path / "out"), f"{LABELS}.gz: cannot be read: ", tmp_path / "out")


def test_a_missing_folder_is_refused_in_one_line(tmp_path: Path) -> None:
    """A mistyped path is the most common mistake."""
    sentence = f"{tmp_path / 'absent' / IMAGES}: not found, and no {IMAGES}.gz either"
    assert_refused(train_on(tmp_path / "absent", tmp_path / "out"), sentence, tmp_path / "out")


def assert_refused(result: Result, sentence: str, output: Path) -> None:
    assert (result.exit_code, result.stdout) == (2, "")
    assert sentence in result.stderr
    assert result.stderr.startswith("Error: ")
    assert result.stderr.count("\n") == 1
    assert not output.exists()
