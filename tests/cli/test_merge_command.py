"""`xent merge`, `--shard`, `--partial` and `--resume` as they are typed, interrupted and killed."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from process import DIFFERS, SAMPLES, end, is_one_error, start, xent, xent_here
from test_cli_signals import until

if TYPE_CHECKING:
    from process import Ended

DIGITS = tuple(str(SAMPLES / "digits" / f"{name}.npy") for name in ("logits", "labels"))
KILLED = (sys.executable, str(Path(__file__).parents[1] / "killed.py"))


def compute(*arguments: str, cwd: Path) -> Ended:
    return xent_here("compute", *DIGITS, *arguments, cwd=cwd)


def shards(count: int, cwd: Path) -> list[str]:
    """The names of the partials of all shares."""
    names = [f"{number}.json" for number in range(1, count + 1)]
    for number, name in enumerate(names, 1):
        assert compute("--shard", f"{number}/{count}", "--partial", name, "-qq", cwd=cwd).code == 0
    return names


def as_merged(report: str) -> str:
    """The report of a run with the one field that says how it ran."""
    return report.replace('"command": "compute"', '"command": "merge"')


def test_sixteen_shards_are_one_run(tmp_path: Path) -> None:
    """Whatever the order, in one step or in two, in every format."""
    names = shards(16, tmp_path)
    whole = compute("--partial", "whole.json", "--json", cwd=tmp_path)
    assert xent_here("merge", *reversed(names), "--json", cwd=tmp_path).out == as_merged(whole.out)
    for half, file in ((names[:5], "first.json"), (names[5:], "second.json")):
        assert xent_here("merge", *half, "--partial", file, "-qq", cwd=tmp_path).code == 0
    table = xent_here("merge", "second.json", "first.json", "--partial", "all.json", cwd=tmp_path)
    assert table.out == compute("--partial", "whole.json", cwd=tmp_path).out
    assert (tmp_path / "all.json").read_bytes() == (tmp_path / "whole.json").read_bytes()


def test_merging_gives_the_exit_code_of_the_whole(tmp_path: Path) -> None:
    """Shards that are all that a scheduler knows still end as CI expects."""
    xent_here("compute", *DIFFERS, "--partial", "1.json", "-qq", cwd=tmp_path)
    assert xent_here("merge", "1.json", cwd=tmp_path).code == 0
    strict = xent_here("merge", "1.json", "--strict", "-q", cwd=tmp_path)
    assert strict.code == 1
    assert strict.out.startswith("fails: a warning counts with --strict; library is within rounding of the true mean ")
    assert strict.out.endswith("; 1 warning: softmax-underflow\n")
    assert xent_here("merge", "1.json", "--strict", "--exit-zero", cwd=tmp_path).code == 0
    shards(1, tmp_path)
    assert xent_here("merge", "1.json", "--expect", "0.14107", "-q", cwd=tmp_path).code == 0
    false = xent_here("merge", "1.json", "--expect", "0.15", cwd=tmp_path)
    assert false.code == 1
    assert "not looked for" in false.out


def test_what_does_not_fit_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    """A file that a later step takes for the facts of all rows."""
    one, two, _ = shards(3, tmp_path)
    for arguments in ([one, two], [one, one, two, "--partial", "out"], [one, "nothing.json"], [DIGITS[0]], ["."]):
        ended = xent_here("merge", *arguments, "-o", "report", cwd=tmp_path)
        assert is_one_error(ended), ended
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1.json", "2.json", "3.json"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("--reduction", "none", "--partial", "x"),
        ("--reduction", "none", "--resume", "x"),
        ("--shard", "1/2", "--expect", "1"),
        ("--shard", "451/451"),
        ("--shard", "3/2"),
        ("--resume", "missing/x"),
        ("--partial", "missing/x"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments: tuple[str, ...], tmp_path: Path) -> None:
    """Before hours of computing, not after them."""
    assert is_one_error(compute(*arguments, cwd=tmp_path))
    assert not list(tmp_path.iterdir())


def test_a_share_alone_shows_its_own_rows(tmp_path: Path) -> None:
    """Their numbers are those of the whole, so that `explain --row` finds them; without a reduction, too."""
    report = json.loads(compute("--shard", "2/45", "--reduction", "none", "--json", cwd=tmp_path).out)
    assert [sample["row"] for sample in report["samples"]] == list(range(10, 20))
    told = compute("--shard", "2/45", cwd=tmp_path).out
    assert "rows 10 to 19 of 450 alone, share 2/45" in told


def test_a_finished_run_is_reported_again_at_once(tmp_path: Path) -> None:
    """And another question is refused, as are other rows."""
    first = compute("--resume", "kept.json", "--json", cwd=tmp_path)
    kept = (tmp_path / "kept.json").read_bytes()
    assert compute("--resume", "kept.json", "--json", cwd=tmp_path) == first
    for other in (("--ignore-index", "3"), ("--shard", "1/2"), ("--shard", "2/2"), ("--weight", DIGITS[1])):
        ended = compute("--resume", "kept.json", *other, cwd=tmp_path)
        assert is_one_error(ended), ended
    assert (tmp_path / "kept.json").read_bytes() == kept
    (tmp_path / "kept.json").write_bytes(kept[:-100])
    assert is_one_error(compute("--resume", "kept.json", cwd=tmp_path))


def made(folder: Path) -> tuple[str, str]:
    """4 MB of logits, of which 16 places are a fiftieth, and labels."""
    generator = np.random.default_rng(3)
    np.save(folder / "z.npy", generator.normal(size=(10_000, 100)).astype(np.float32))
    np.save(folder / "y.npy", generator.integers(100, size=10_000))
    return "z.npy", "y.npy"


def put(path: Path, row: int, number: int) -> None:
    """Another number in the middle of a file, written in place as by a program that has it open."""
    values = np.lib.format.open_memmap(path, "r+")
    values[row] = number
    values.flush()


@pytest.mark.parametrize("name", ["z.npy", "y.npy"])
def test_a_run_does_not_go_on_over_a_file_that_changed(name: str, tmp_path: Path) -> None:
    """Half of the facts would be of the old file; every byte that they are of is compared, and nothing is lost."""
    inputs = made(tmp_path)
    for share in ((), ("--shard", "2/3")):
        kept = tmp_path / f"kept{len(share)}.json"
        assert xent_here("compute", *inputs, *share, "--resume", kept.name, "-qq", cwd=tmp_path).code == 0
        before = kept.read_bytes()
        old = np.load(tmp_path / name, mmap_mode="r")[5_003].copy()
        put(tmp_path / name, 5_003, 7)
        ended = xent_here("compute", *inputs, *share, "--resume", kept.name, cwd=tmp_path)
        assert is_one_error(ended)
        assert f"{name}, for {kept.name}" in ended.err
        assert kept.read_bytes() == before
        put(tmp_path / name, 5_003, old)
        assert xent_here("compute", *inputs, *share, "--resume", kept.name, cwd=tmp_path).code == 0


@pytest.mark.parametrize("name", ["z.npy", "y.npy"])
def test_parts_of_a_file_that_changed_in_between_are_refused(name: str, tmp_path: Path) -> None:
    """The first share is of the old file, the second of the new one: their sum is of neither."""
    inputs = made(tmp_path)
    one, two = (("compute", *inputs, "--shard", f"{k}/2", "--partial", f"{k}.json", "-qq") for k in (1, 2))
    assert xent_here(*one, cwd=tmp_path).code == 0
    put(tmp_path / name, 1_234, 3)
    assert xent_here(*two, cwd=tmp_path).code == 0
    for target in ((), ("--partial", "all.json")):
        ended = xent_here("merge", "2.json", "1.json", *target, cwd=tmp_path)
        assert is_one_error(ended)
        assert f"{name}, for 1.json" in ended.err
        assert "rows 0 to 4,999" in ended.err
        assert not (tmp_path / "all.json").exists()
    assert xent_here("merge", "1.json", "2.json", "--trust-inputs", cwd=tmp_path).code == 0
    assert xent_here(*one, cwd=tmp_path).code == 0
    whole = xent_here("compute", *inputs, "--partial", "whole.json", "--json", cwd=tmp_path)
    assert xent_here("merge", "1.json", "2.json", "--json", cwd=tmp_path).out == as_merged(whole.out)
    np.save(tmp_path / "z.npy", np.zeros((9_999, 100), np.float32))
    np.save(tmp_path / "y.npy", np.zeros(9_999, np.int64))
    assert "9,999 samples" in xent_here("merge", "1.json", "2.json", cwd=tmp_path).err


@pytest.mark.parametrize("manifest", [False, True])
def test_what_is_not_here_is_not_compared_and_said(manifest: bool, tmp_path: Path) -> None:
    """Partials are carried to a desk, the data stay where they are."""
    names = shards(2, tmp_path)
    inputs = made(tmp_path)
    if manifest:
        (tmp_path / "list.txt").write_text("z.npy\n")
        inputs = ("@list.txt", inputs[1])
    assert xent_here("compute", *inputs, "--partial", "own.json", "-qq", cwd=tmp_path).code == 0
    desk = tmp_path / "desk"
    desk.mkdir()
    ended = xent_here("merge", *(str(tmp_path / name) for name in names), "-q", cwd=desk)
    assert (ended.code, ended.err) == (0, "")  # these names are absolute
    ended = xent_here("merge", "../own.json", cwd=desk)
    assert ended.code == 0
    assert ended.err == f"note: {inputs[0]} and y.npy cannot be read here, so ../own.json was not compared with it\n"
    assert xent_here("merge", "../own.json", "-qq", cwd=desk).err == ""


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 9))])
def test_a_run_that_is_killed_at_any_moment_loses_and_doubles_nothing(seed: int, tmp_path: Path) -> None:
    """A preempted machine gives no warning; what comes out must be what an undisturbed run gives, to the byte."""
    undisturbed = compute("--partial", "whole.json", "--json", cwd=tmp_path).out
    arguments = ("compute", *DIGITS, "--resume", "kept.json", "--json", "-o", "report.json")
    ended = xent(str(seed), *arguments, cwd=tmp_path, program=KILLED)
    assert ended.code == 0, ended
    assert int(ended.err.split()[-1]) > 2  # it was not killed at its beginning alone
    assert (tmp_path / "report.json").read_text() == undisturbed
    assert (tmp_path / "kept.json").read_bytes() == (tmp_path / "whole.json").read_bytes()


def test_ctrl_c_leaves_what_is_done(tmp_path: Path) -> None:
    """And says where, and how to go on."""
    generator = np.random.default_rng(1)
    np.save(tmp_path / "logits.npy", generator.normal(size=(2000, 1000)).astype(np.float32))
    np.save(tmp_path / "labels.npy", generator.integers(1000, size=2000))
    arguments = ("compute", "logits.npy", "labels.npy", "--reference", "exact", "--resume", "kept.json")
    process = start("never", *arguments, cwd=tmp_path, program=KILLED)
    until((tmp_path / "kept.json").exists, process)
    process.send_signal(signal.SIGINT)
    ended = end(process)
    assert (ended.code, ended.out) == (130, "")
    assert "note: kept.json has the facts of " in ended.err
    assert "the same command goes on from there" in ended.err
    rows = json.loads((tmp_path / "kept.json").read_bytes())["rows"]
    assert rows["start"] == 0 < rows["stop"] < 2000
