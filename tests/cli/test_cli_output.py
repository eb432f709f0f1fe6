"""Files that a run writes: whole or not at all, and what stands on standard output beside them."""

from __future__ import annotations

import fcntl
import json
import os
import stat
import threading
from typing import TYPE_CHECKING

import numpy as np
import pytest
from process import AGREES, DIFFERS, INSTANT, SMALL, is_one_error, xent, xent_here

from xentcli.cli.output import WholeFile, made_folder
from xentcli.errors import UsageError
from xentcli.render.registry import FORMATS, TEXTS

if TYPE_CHECKING:
    from pathlib import Path

FAILING = ("compute", AGREES[0], DIFFERS[1], "--class-axis", "7")  # in the middle of its work


def files(folder: Path) -> set[str]:
    """Every name, hidden ones too."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


@pytest.mark.parametrize("form", TEXTS)
def test_a_file_holds_what_would_be_printed(form: str, tmp_path: Path) -> None:
    """Somebody who keeps a report keeps the whole of it, at the width of a page, without colours, and sees nothing."""
    printed = xent_here(*SMALL, "-f", form, cwd=tmp_path)
    kept = xent_here(*SMALL, "-f", form, "-o", "out", cwd=tmp_path, env={"FORCE_COLOR": "1", "COLUMNS": "40"})
    assert (kept.code, kept.out, kept.err) == (0, "", "")
    assert (tmp_path / "out").read_text() == printed.out
    assert files(tmp_path) == {"out"}


def test_several_reports_of_one_run(tmp_path: Path) -> None:
    """A CI job wants XML for its server, a table in its log and JSON for a script, and computes once."""
    ended = xent_here(*SMALL, "--report", "json=a", "--report=junit=b=c", "--report", "json=d", cwd=tmp_path)
    assert ended.out == xent_here(*SMALL, cwd=tmp_path).out
    assert files(tmp_path) == {"a", "b=c", "d"}
    assert (tmp_path / "a").read_text() == (tmp_path / "d").read_text() == xent_here(*SMALL, "--json", cwd=tmp_path).out
    assert (tmp_path / "b=c").read_text() == xent_here(*SMALL, "-f", "junit", cwd=tmp_path).out


@pytest.mark.parametrize("report", ["yaml=x", "json", "json=", "=x", "x", ""])
def test_a_report_needs_a_format_and_a_file(report: str, tmp_path: Path) -> None:
    """The message names every format."""
    ended = xent_here(*SMALL, "--report", report, cwd=tmp_path)
    assert is_one_error(ended)
    assert all(word in ended.err for word in ("FORMAT=FILE", *FORMATS))


def test_one_file_for_two_reports(tmp_path: Path) -> None:
    """The second would take the place of the first, whatever name it comes by."""
    (tmp_path / "link").symlink_to("a")
    for second in ("a", "./a", str(tmp_path / "a"), "link"):
        for arguments in (("-o", "a", f"--report=json={second}"), ("--report=csv=a", f"--report=json={second}")):
            ended = xent_here(*SMALL, *arguments, cwd=tmp_path)
            assert is_one_error(ended)
            assert "two reports" in ended.err
    assert files(tmp_path) == {"link"}


def test_quiet(tmp_path: Path) -> None:
    """-q is the last line of the table, -qq nothing; the files and the exit code are the same."""
    loud, quiet, silent = (
        xent_here("compute", *DIFFERS, *flag, cwd=tmp_path, env={"COLUMNS": "200"}) for flag in ((), ("-q",), ("-qq",))
    )
    assert quiet.out == loud.out.splitlines(keepends=True)[-1]
    assert silent.out == ""
    assert loud.code == quiet.code == silent.code == 0
    assert xent_here(*SMALL, "-qq", "-o", "x", cwd=tmp_path).code == 0
    assert (tmp_path / "x").read_text() == xent_here(*SMALL, cwd=tmp_path).out


@pytest.mark.parametrize(("claimed", "answer", "code"), [
    ("2.998", "holds: the claim 2.998 holds, the true mean is 2.9977045", 0),
    ("4.321", "fails: the claim 4.321 does not hold, the true mean is 2.9977045: no known mistake gives it", 1),
    ("11.99", ("fails: the claim 11.99 does not hold, the true mean is 2.9977045: it is the sum of the 4 losses "
     "(sum-instead-of-mean)"), 1),
    ("3", "holds: the claim 3 holds to its 1 digit: 2.5 to 3.5; the true mean is 2.9977045", 0),
])  # fmt: skip
def test_quiet_about_all_but_the_claim(claimed: str, answer: str, code: int, tmp_path: Path) -> None:
    """A job that fails because of a claim must say so first, and why."""
    ended = xent_here("compute", *AGREES, "--expect", claimed, "-q", cwd=tmp_path)
    (verdict,) = ended.out.splitlines()
    assert ended.code == code
    assert verdict.partition("; library")[0] == answer


def test_a_failing_run_leaves_the_old_file(tmp_path: Path) -> None:
    """Yesterday's report is better than half of today's."""
    (tmp_path / "old").write_text("yesterday")
    arguments = ("-o", "old", "--report", "json=new", "--report", "csv=deep")
    assert is_one_error(xent_here(*FAILING, *arguments, cwd=tmp_path))
    assert (tmp_path / "old").read_text() == "yesterday"
    assert files(tmp_path) == {"old"}


def test_a_wrong_loss_is_reported_in_full(tmp_path: Path) -> None:
    """Exit code 1 is a result, not a failure: its report is what one wants to read."""
    assert xent_here("compute", *DIFFERS, "--json", "-o", "out", "--strict", cwd=tmp_path).code == 1
    assert json.loads((tmp_path / "out").read_text())["verdict"] == "fails"


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o755])
def test_permissions_and_links_are_kept(mode: int, tmp_path: Path) -> None:
    """A report that others may not read stays so; a link still leads to the report."""
    (tmp_path / "deep").mkdir()
    target = tmp_path / "deep" / "old"
    target.write_text("yesterday")
    target.chmod(mode)
    (tmp_path / "link").symlink_to("deep/old")
    assert xent_here(*SMALL, "--json", "-o", "link", cwd=tmp_path).code == 0
    assert (tmp_path / "link").is_symlink()
    assert json.loads(target.read_text())["verdict"] == "holds"
    assert stat.S_IMODE(target.stat().st_mode) == mode
    assert files(tmp_path) == {"link", "deep", "deep/old"}


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o000])
def test_a_new_file_has_the_permissions_of_any_new_file(mask: int, tmp_path: Path) -> None:
    """Not those of a temporary file, which nobody else may read."""
    before = os.umask(mask)
    try:
        with WholeFile(tmp_path / "new") as file:
            file.write(b"x")
        (tmp_path / "other").touch()
    finally:
        os.umask(before)
    new, other = (stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("new", "other"))
    assert new == other == 0o666 & ~mask


def test_a_link_to_a_file_that_is_not_there_yet(tmp_path: Path) -> None:
    """The report goes where the link leads; a long name is as good as any."""
    (tmp_path / "link").symlink_to("x" * 255)
    assert xent_here(*SMALL, "-q", "-o", "link", cwd=tmp_path).code == 0
    assert files(tmp_path) == {"link", "x" * 255}
    assert (tmp_path / "link").is_symlink()


@pytest.mark.parametrize("name", ["nothing/x", ".", "/proc/x", "file/x", "x" * 256, ""])
def test_a_file_that_cannot_be_written(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After hours of computing it would be too late to say so."""
    (tmp_path / "file").touch()
    monkeypatch.setattr("xentcli.running.engine.run", None)  # the work would not even begin
    for arguments in (("-o", name), ("--report", f"json={name}")) if name else (("-o", name),):
        ended = xent_here(*SMALL, *arguments, cwd=tmp_path)
        assert is_one_error(ended), ended
        assert "the output file cannot be written" in ended.err
    assert files(tmp_path) == {"file"}


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
def test_a_file_that_may_not_be_written(tmp_path: Path) -> None:
    """Whoever took away the permission to write wants the file to stay as it is."""
    (tmp_path / "old").write_text("yesterday")
    (tmp_path / "old").chmod(0o400)
    assert is_one_error(xent_here(*SMALL, "-o", "old", cwd=tmp_path))
    assert (tmp_path / "old").read_text() == "yesterday"


def test_a_full_device(tmp_path: Path) -> None:
    """The system tells of a full disk when the file is closed; that is the last moment to fail."""
    ended = xent_here(*SMALL, "-o", "/dev/full", cwd=tmp_path)
    assert is_one_error(ended), ended
    assert "No space left" in ended.err
    assert xent_here(*SMALL, "-o", "/dev/null", cwd=tmp_path).code == 0


def test_a_fifo(tmp_path: Path) -> None:
    """`-o >(gzip > report.gz)`: what is no file is written as it is, and stays."""
    fifo, read = tmp_path / "fifo", []
    os.mkfifo(fifo)
    reader = threading.Thread(target=lambda: read.append(fifo.read_text()))
    reader.start()
    assert xent_here(*SMALL, "--json", "-o", "fifo", cwd=tmp_path).code == 0
    reader.join(timeout=10)
    assert json.loads(read[0])["verdict"] == "holds"
    assert stat.S_ISFIFO(fifo.stat().st_mode)


def test_standard_output_by_its_name(tmp_path: Path) -> None:
    """`-o /dev/stdout` in a pipe, and where `>>` leads to a file that holds something already."""
    arguments, log = ("compute", *DIFFERS, "-f", "csv", "-o", "/dev/stdout"), tmp_path / "log"
    log.write_text("yesterday\n")
    with log.open("ab") as stream:
        assert xent(*arguments, cwd=tmp_path, program=INSTANT, stdout=stream).code == 0
    piped = xent(*arguments, cwd=tmp_path, program=INSTANT)
    assert piped.code == 0
    assert log.read_text() == "yesterday\n" + piped.out
    assert piped.out.startswith("reduction,")


def test_saved_data_give_the_same_numbers(tmp_path: Path) -> None:
    """What `random` drew can be looked at again, by xent or by anybody's own code."""
    drawn = xent_here("random", "--samples=50", "--classes=7", "--scale=3", "--save", "a", "--json", cwd=tmp_path)
    again = xent_here("compute", "a/logits.npy", "a/labels.npy", "--json", cwd=tmp_path)
    assert files(tmp_path) == {"a", "a/logits.npy", "a/labels.npy"}
    first, second = json.loads(drawn.out), json.loads(again.out)
    for key in ("losses", "discrepancy", "samples", "counts", "findings", "verdict"):
        assert first[key] == second[key]
    logits, labels = (np.load(tmp_path / "a" / f"{name}.npy") for name in ("logits", "labels"))
    assert (logits.shape, logits.dtype, labels.shape, labels.dtype) == ((50, 7), np.float32, (50,), np.int64)
    seed = first["options"]["seed"]
    same = xent_here("random", "--samples=50", "--classes=7", "--scale=3", f"--seed={seed}", "--json", cwd=tmp_path)
    assert json.loads(same.out) == first


def test_nothing_is_saved_by_a_failing_run(tmp_path: Path) -> None:
    """No data, and no folder that was made for them; what stood there before stays."""
    failing = ("--class-axis", "7")
    assert is_one_error(xent_here(*SMALL, "--save", "a", *failing, cwd=tmp_path))
    assert not files(tmp_path)
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "logits.npy").write_text("yesterday")
    assert is_one_error(xent_here(*SMALL, "--save", "a", *failing, cwd=tmp_path))
    assert files(tmp_path) == {"a", "a/logits.npy"}
    assert (tmp_path / "a" / "logits.npy").read_text() == "yesterday"


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    """A file stands where the folder should."""
    (tmp_path / "file").touch()
    for name, said in (("file", "cannot be made"), ("file/deep", "cannot be made"), ("/proc/deep", "cannot be made")):
        ended = xent_here(*SMALL, "--save", name, cwd=tmp_path)
        assert is_one_error(ended), ended
        assert said in ended.err


def test_a_folder_that_was_made_in_vain_goes_again(tmp_path: Path) -> None:
    """Unless somebody else has put a file there meanwhile."""

    def fail(*names: str) -> None:
        with made_folder(tmp_path / "a"):
            for name in names:
                (tmp_path / name).touch()
            raise UsageError("fails")

    for names, left in (((), set()), (("a/theirs",), {"a", "a/theirs"})):
        with pytest.raises(UsageError, match="fails"):
            fail(*names)
        assert files(tmp_path) == left


def test_what_a_killed_run_left_is_swept(tmp_path: Path) -> None:
    """Folders fill up with hidden files; those of a run that goes on, of others and of other names stay."""
    left, held, other = (
        tmp_path / name for name in (".xent-0123456789abcdef", ".xent-fedcba9876543210", ".xent-notes.txt")
    )
    for path in (left, held, other):
        path.touch()
        os.utime(path, (0, 0))
    with held.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert xent_here(*SMALL, "-o", "out", cwd=tmp_path).code == 0
    assert files(tmp_path) == {"out", held.name, other.name}
