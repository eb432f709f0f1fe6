"""Comparisons in parts: however the rows are shared out, saved, sent and merged, the report is that of one run."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import sys
import threading
from contextlib import chdir
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from elsewhere import change, dask, sent_crew
from json_schema import fits
from process import is_one_error, xent, xent_here
from record_schema import schema_of

import xentcli
from xentcli.cli.parts import Journal
from xentcli.comparing.measuring import measure_pairs
from xentcli.comparing.opening import open_pairing
from xentcli.comparing.partial import PairAsked, PairPartial, read_pair_partial
from xentcli.comparing.run import Wanted, compare
from xentcli.errors import InputError
from xentcli.numbers.checksum import Checksum
from xentcli.question.problem import Options
from xentcli.question.share import RowRange
from xentcli.running.merging import merged
from xentcli.running.opening import Elsewhere
from xentcli.sources.named import NamedSides

if TYPE_CHECKING:
    from process import Ended

SCHEMA = Path(xentcli.__file__).parent / "comparing" / "partial.schema.json"
SCALE = Path(xentcli.__file__).parent / "docs" / "scale.md"
TITLE = "The first line of what `xent compare --partial` and `--resume` write, before the rows of each other side"
KILLED = (sys.executable, str(Path(__file__).parents[1] / "killed.py"))
G = np.random.default_rng(11)
ROWS, CLASSES = 120, 6
BASE = (G.standard_normal((ROWS, CLASSES)) * 2).astype(np.float32)
OTHERS = [(BASE + G.standard_normal(BASE.shape) * scale).astype(np.float32) for scale in (0.1, 0.3)]
LABELS = G.integers(CLASSES, size=ROWS)
LABELS[::7] = -100
FILES = ("base.npy", "one.npy", "two.npy", "--labels", "labels.npy")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, values in (("base", BASE), ("one", OTHERS[0]), ("two", OTHERS[1]), ("labels", LABELS)):
        np.save(tmp_path / f"{name}.npy", values)
    return tmp_path


def run(*arguments: str, cwd: Path, files: tuple[str, ...] = FILES) -> Ended:
    return xent_here("compare", *files, *arguments, cwd=cwd)


def shards(count: int, cwd: Path, *options: str, files: tuple[str, ...] = FILES) -> list[str]:
    """The names of the partials of all shares, which go by without a word."""
    names = [f"{number}.part" for number in range(1, count + 1)]
    for number, name in enumerate(names, 1):
        ended = run("--shard", f"{number}/{count}", "--partial", name, "-qq", *options, cwd=cwd, files=files)
        assert ended == type(ended)(0, "", "")
    return names


TEXTS = ("json", "table", "csv", "markdown", "junit", "github")
LIMITED = ("--group", "7", "--max-kl", "0.001", "--equivalence", "0.1", "--rows", "3")
ONE_RUN = {
    "limits": (FILES, LIMITED, TEXTS),
    "no labels": (("base.npy", "one.npy"), (), TEXTS[:2]),
    "classes first": (("stack.npz", "stack.npy", "--class-axis", "0"), LIMITED[:4], TEXTS[:2]),
    "a third set": (
        ("base.npy", "one.npy", "--labels", "labels.npy", "--floor", "two.npy", "--group", "ids.csv"),
        ("--by", "class", "--by", "group", "--reduction", "none"),
        ("json", "csv"),
    ),
    "rounded sides": (("base.npy", "two.npy", "--floor", "float16", "--first-classes", "5"), (), TEXTS[:2]),
}


@pytest.mark.parametrize("case", ONE_RUN)
def test_shards_are_one_run(case: str, folder: Path) -> None:
    """Whatever the order and the blocks, in one step or in two, in every format, with the exit code of the whole."""
    np.savez(folder / "stack.npz", logits=BASE.reshape(20, 6, 6).swapaxes(0, 1), labels=LABELS.reshape(20, 6))
    np.save(folder / "stack.npy", OTHERS[0].reshape(20, 6, 6).swapaxes(0, 1))
    files, options, forms = ONE_RUN[case]
    (folder / "ids.csv").write_text("".join(f"text-{row // 9}\n" for row in range(ROWS)))
    names = shards(4, folder, *options, "--block-bytes", "100", files=files)
    for form in forms:
        whole = run("-f", form, *options, cwd=folder, files=files)
        assert whole.code == ("--max-kl" in options), whole
        assert xent_here("merge", *names[::-1], "-f", form, cwd=folder) == whole
    for half, file in ((names[:2], "first"), (names[2:], "second")):
        assert xent_here("merge", *half, "--partial", file, "--exit-zero", "-qq", cwd=folder).code == 0
    last = xent_here("merge", "second", "first", "--partial", "all", "-q", cwd=folder)
    assert last == run("--partial", "whole", "-q", *options, cwd=folder, files=files)
    assert (folder / "all").read_bytes() == (folder / "whole").read_bytes()


def test_blocks_threads_and_processes_are_not_seen(folder: Path) -> None:
    """Real processes, and rows that wait in a temporary file."""
    ways = ((), ("--block-bytes", "50"), ("--threads", "1", "--block-bytes", "1K"), ("--jobs", "2"))
    found = {(run("--partial", "p", "--json", *way, cwd=folder), (folder / "p").read_bytes()) for way in ways}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("xentcli.sources.stored.IN_MEMORY", 0)
        found |= {(run("--partial", "p", "--json", "--block-bytes", "50", cwd=folder), (folder / "p").read_bytes())}
    ((ended, _),) = found
    assert ended == run("--json", cwd=folder)


@pytest.mark.slow
def test_a_cluster_gives_the_same_bytes(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Workers of another folder read the files by themselves, and send their rows back."""
    with dask(tmp_path_factory.mktemp("dask"), workers=1) as cluster:
        there = run("--partial", "there", "--json", "--cluster", cluster.address, cwd=folder)
    assert there == run("--partial", "here", "--json", cwd=folder)
    assert (folder / "there").read_bytes() == (folder / "here").read_bytes()


def named(folder: Path) -> NamedSides:
    paths = (str(folder / f"{name}.npy") for name in ("base", "one", "two", "labels"))
    base, one, two, labels = paths
    return NamedSides(base, (one, two), labels, None)


@pytest.mark.parametrize("name", ["base", "two", "labels"])
def test_another_number_on_a_worker_is_refused(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Copies are the same input; last week's file of this name, on the worker's own disk, is not."""
    monkeypatch.setattr("xentcli.question.problem.WHOLE_BYTES", 0)
    monkeypatch.setattr("xentcli.running.identity.PLACE_BYTES", 1)
    monkeypatch.setattr("xentcli.comparing.measuring.BATCH_BYTES", 300)
    copy = Path(shutil.copytree(folder, folder / "copy"))
    pairing = open_pairing(named(folder), Options()).read_as(block_bytes=100)
    there = Elsewhere(sent_crew, partial(open_pairing, named(copy), Options()))
    assert compare(pairing, Wanted({}), elsewhere=there) == compare(pairing, Wanted({}))
    change(copy / f"{name}.npy", 50)
    with pytest.raises(InputError, match="a worker read other numbers") as caught:
        compare(pairing, Wanted({}), elsewhere=there)
    assert f"{name}.npy, worker on " in caught.value.details["at"]
    change(copy / f"{name}.npy", 0)
    with pytest.raises(InputError, match="another file by this name"):
        compare(pairing, Wanted({}), elsewhere=there)


def test_limits_are_for_the_whole(folder: Path) -> None:
    """A share that is worse than the limit does not fail, and one on labels that there are not fails at once."""
    kl = json.loads(run("--json", cwd=folder).out)["comparisons"][0]["statistics"]["kl"]
    for limit, code in ((kl["upper"], 0), (kl["lower"] * 0.999, 1)):
        names = shards(3, folder, "--max-kl", repr(limit), files=("base.npy", "one.npy", "--labels", "labels.npy"))
        ended = xent_here("merge", *names, "-q", cwd=folder)
        assert ended.code == code
        assert ended.out.startswith("fails: " if code else "holds: ")
    ended = run("--shard", "1/2", "--partial", "p", "--equivalence", "1", cwd=folder, files=("base.npy", "one.npy"))
    assert is_one_error(ended)
    assert not (folder / "p").exists()


def test_claims_are_about_the_whole(folder: Path) -> None:
    """They are judged where all rows are; the mistake behind a wrong one takes the logits, and is not looked for."""
    for claim in (("--expect", "kl=1"), ("--expect-kl", "1")):
        assert is_one_error(run("--shard", "1/2", *claim, cwd=folder))
    names = shards(2, folder, files=("base.npy", "one.npy"))
    kl = json.loads(run("--json", cwd=folder, files=("base.npy", "one.npy")).out)["comparisons"][0]["statistics"]["kl"]
    right, wrong = (
        xent_here("merge", *names, "--expect", f"kl={value:.4g}", "-q", cwd=folder) for value in (kl["value"], 3.21)
    )
    assert (right.code, wrong.code) == (0, 1)
    assert right.out.startswith("holds: ")
    assert wrong.out.startswith("fails: ")


def test_the_groups_are_those_of_the_parts(folder: Path) -> None:
    """The file of groups is read once more: another one would give other standard errors."""
    (folder / "ids.csv").write_text("".join(f"{row // 9}\n" for row in range(ROWS)))
    names = shards(2, folder, "--group", "ids.csv")
    (folder / "ids.csv").write_text("".join(f"{row // 8}\n" for row in range(ROWS)))
    ended = xent_here("merge", *names, cwd=folder)
    assert is_one_error(ended)
    assert "the groups are not those that these facts are of" in ended.err


def test_a_share_says_what_it_is_of(folder: Path) -> None:
    """The mean of a share must not be taken for the mean."""
    told = json.loads(run("--shard", "2/3", "--json", cwd=folder).out)
    assert told["part"] == {"rows": {"start": 40, "stop": 80}, "samples": 120, "share": "2/3"}
    assert all(40 <= row["row"] < 80 for one in told["comparisons"] for row in one["rows"])
    assert told["comparisons"][0]["counts"]["rows"] == 40
    assert "part   rows 40 to 79 of 120 alone, share 2/3" in run("--shard", "2/3", cwd=folder).out
    assert run("--shard", "2/3", "-q", cwd=folder).out.count("; rows 40 to 79 of 120 alone\n") == 2
    assert "part" not in json.loads(run("--json", cwd=folder).out)


def test_a_share_of_which_nothing_counts_is_a_share(folder: Path) -> None:
    """Padding at the end of a text: nothing was checked there, and the whole is what it is without."""
    labels = LABELS.copy()
    labels[80:] = -100
    np.save(folder / "labels.npy", labels)
    for number in (1, 2, 3):
        ended = run("--shard", f"{number}/3", "--partial", f"{number}.part", "-q", cwd=folder)
        assert ended.code == (5 if number == 3 else 0)
    assert ended.out == "undecided: no sample counts; rows 80 to 119 of 120 alone\n" * 2
    for form in ("table", "json", "csv", "markdown", "junit", "github"):
        assert run("--shard", "3/3", "-f", form, cwd=folder).code == 5
    assert xent_here("merge", "1.part", "2.part", "3.part", "--json", cwd=folder) == run("--json", cwd=folder)
    np.save(folder / "labels.npy", np.full(ROWS, -100))
    assert is_one_error(run(cwd=folder))


def test_a_finished_run_is_reported_again(folder: Path) -> None:
    """Nothing is computed twice; other questions, other rows and other numbers are refused, and nothing is lost."""
    first = run("--resume", "kept", "--json", cwd=folder)
    kept = (folder / "kept").read_bytes()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("xentcli.comparing.measuring.table_of", None)
        assert run("--resume", "kept", "--json", cwd=folder) == first
    for other in (("--ignore-index", "3"), ("--shard", "1/2"), ("--shard", "2/2"), ("--max-kl", "1"), ("--group", "5")):
        assert is_one_error(run("--resume", "kept", *other, cwd=folder)), other
    change(folder / "two.npy", 50)
    ended = run("--resume", "kept", cwd=folder)
    assert is_one_error(ended)
    assert "two.npy, for kept" in ended.err or "of different inputs" in ended.err
    assert (folder / "kept").read_bytes() == kept


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 6))])
def test_a_run_that_is_killed_at_any_moment_loses_and_doubles_nothing(seed: int, folder: Path) -> None:
    """A preempted machine gives no warning; what comes out must be what an undisturbed run gives, to the byte."""
    for name in ("base", "one", "two", "labels"):
        np.save(folder / f"{name}.npy", np.tile(np.load(folder / f"{name}.npy").T, 8).T)
    undisturbed = run("--partial", "whole", "--json", cwd=folder).out
    arguments = ("compare", *FILES, "--resume", "kept", "--json", "-o", "report.json")
    ended = xent(str(seed), *arguments, cwd=folder, program=KILLED)
    assert ended.code == 0, ended
    assert int(ended.err.split()[-1]) > 2  # it was not killed at its beginning alone
    assert (folder / "report.json").read_text() == undisturbed
    assert (folder / "kept").read_bytes() == (folder / "whole").read_bytes()


def test_what_was_begun_goes_on_from_a_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After any block, with rows in memory or put aside, here or elsewhere."""
    pairing = open_pairing(named(folder), Options()).read_as(block_bytes=400, in_parts=True)
    asked, rows, files = PairAsked.of(pairing, Wanted({})), RowRange(30, 110), []

    def save(facts: Any) -> None:
        files.append(folder / f"{len(files)}.part")
        files[-1].write_bytes(b"".join(PairPartial.of(asked, named(folder), 30, facts).pieces()))

    for room in (0, 1 << 20):
        monkeypatch.setattr("xentcli.sources.stored.IN_MEMORY", room)
        measure_pairs(pairing, rows, None, save)
        for moment in (0, 2, len(files) - 1):
            begun = read_pair_partial(str(files[moment])).facts
            facts = measure_pairs(pairing, rows, begun, threads=1)
            whole = b"".join(PairPartial.of(asked, named(folder), 30, facts).pieces())
            assert whole == files[-1].read_bytes()


def test_saving_takes_little_of_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All rows are written again each time: a run with many of them saves less often."""
    now = [0.0]
    monkeypatch.setattr("xentcli.cli.parts.time.monotonic", lambda: now[0])

    class Slow:
        def pieces(self) -> Any:
            now[0] += 3.0
            yield b""

    journal, saving = Journal(str(tmp_path / "kept"), lambda _: Slow()), 0.0
    for _ in range(1000):
        before = now[0]
        journal("facts")
        saving += now[0] - before
        now[0] += 1.0
    assert 0 < saving < now[0] / 20


def test_what_does_not_fit_is_refused_and_nothing_is_written(folder: Path) -> None:
    """A file that a later step takes for all rows."""
    one, two, three = shards(3, folder)
    xent_here("compute", "base.npy", "labels.npy", "--partial", "loss", "-qq", cwd=folder)
    shutil.copy(folder / one, folder / "old")
    assert run("--shard", "2/3", "--partial", "gate", "--max-kl", "1", "-qq", cwd=folder).code == 0
    assert run("--shard", "1/2", "--partial", "half", "-qq", cwd=folder).code == 0
    before = sorted(path.name for path in folder.iterdir())
    cases = {
        "rows are missing": [one, three, "--partial", "out"],
        "no partial of rows 80 to 119": [one, two],
        "rows are in two partials": ["half", two, three],
        "a comparison and a loss": [one, "loss"],
        "a loss and a comparison": ["loss", one, two, three],
        "wanted.limits.max-kl": [one, "gate", three],
        "not a partial": [one, "base.npy"],
        "no such file": [one, "nothing"],
    }
    for words, files in cases.items():
        ended = xent_here("merge", *files, "-o", "report", cwd=folder)
        assert is_one_error(ended), ended
        assert words in ended.err, ended.err
    for option in (("--expect", "1"), ("--expect", "nothing=1"), ("-f", "npy", "-o", "rows")):
        assert is_one_error(xent_here("merge", one, two, three, *option, cwd=folder))
    assert sorted(path.name for path in folder.iterdir()) == before
    for name in ("one", "base", "labels"):
        old = np.load(folder / f"{name}.npy")
        change(folder / f"{name}.npy", 60)
        assert run("--shard", "2/3", "--partial", "new", "-qq", cwd=folder).code == 0
        ended = xent_here("merge", "old", "new", three, cwd=folder)
        assert is_one_error(ended)
        assert f"{name}.npy" in ended.err or "other numbers in the" in ended.err
        np.save(folder / f"{name}.npy", old)


def test_parts_of_a_file_that_changed_in_between_are_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the 16 places do not tell it, every byte does; files that are elsewhere are not compared, which is said."""
    monkeypatch.setattr("xentcli.running.identity.PLACE_BYTES", 1)
    names = shards(2, folder)
    change(folder / "two.npy", 50)
    ended = xent_here("merge", *names, cwd=folder)
    assert is_one_error(ended)
    assert "two.npy, for 1.part" in ended.err
    assert "rows 0 to 59" in ended.err
    assert xent_here("merge", *names, "--trust-inputs", cwd=folder).code == 0
    (folder / "two.npy").unlink()
    ended = xent_here("merge", *names, "-q", cwd=folder)
    assert ended.code == 0
    assert "note: two.npy cannot be read here, so 1.part was not compared with it" in ended.err


def test_a_pipe_is_a_partial(folder: Path) -> None:
    """Its bytes come once: `xent merge <(ssh ...)`."""
    names = shards(2, folder)
    os.mkfifo(folder / "pipe")
    writer = threading.Thread(target=lambda: (folder / "pipe").write_bytes((folder / names[0]).read_bytes()))
    writer.start()
    ended = xent_here("merge", "pipe", names[1], "--json", cwd=folder)
    writer.join()
    assert ended == run("--json", cwd=folder)


def partial_of(folder: Path, rows: RowRange) -> PairPartial:
    pairing = open_pairing(named(folder), Options()).read_as(in_parts=True)
    return PairPartial.of(PairAsked.of(pairing, Wanted({})), named(folder), rows.start, measure_pairs(pairing, rows))


def is_the_same(content: bytes, whole: bytes) -> bool:
    """Whether the line of JSON says the same, as 1E-5 does for 1e-5, and the rows are the same."""
    (line, rows), (own, others) = (each.partition(b"\n")[::2] for each in (content, whole))
    try:
        return rows == others and json.loads(line) == json.loads(own)
    except ValueError:
        return False


def test_damage_is_noticed(folder: Path) -> None:
    """One wrong byte on a disk must not become a wrong divergence, nor may a file that ends too soon, or goes on."""
    file = folder / "p"
    file.write_bytes(b"".join(partial_of(folder, RowRange(0, 40)).pieces()))
    whole = file.read_bytes()
    read_pair_partial(str(file))
    drawn = random.Random(0)
    places = [0, 1, 8, whole.index(b"\n"), len(whole) - 1, *(drawn.randrange(len(whole)) for _ in range(60))]
    for place in places:
        wrong = bytes([whole[place] ^ 1 << drawn.randrange(8)])
        for content in (whole[:place], whole[:place] + wrong + whole[place + 1 :]):
            if is_the_same(content, whole):
                continue
            file.write_bytes(content)
            with pytest.raises(InputError):
                read_pair_partial(str(file))
    for content in (whole + b"\0", whole + whole, b"", b"\n", b"\0" * 100, b'{"kind":"comparison",', whole[:21] * 9):
        file.write_bytes(content)
        with pytest.raises(InputError):
            read_pair_partial(str(file))


FORGED = {
    "a row twice": ("row", 3, 2),
    "a row of another share": ("row", 33, 90),
    "a label that is no class": ("label", 5, CLASSES),
    "a divergence that is no number": ("kl", 5, np.nan),
}


@pytest.mark.parametrize("what", FORGED)
def test_rows_that_no_run_comes_to_are_refused(what: str, folder: Path) -> None:
    """By a program that writes the checksums, too."""
    honest = partial_of(folder, RowRange(0, 40))
    name, row, value = FORGED[what]
    tables = [table.copy() for (table,) in honest.facts.tables]
    for table in tables:
        table[name][row] = value
    facts = replace(honest.facts, tables=tuple((table,) for table in tables), sums=tuple(map(Checksum.of, tables)))
    (folder / "p").write_bytes(b"".join(replace(honest, facts=facts).pieces()))
    with pytest.raises(InputError, match="facts that no run comes to"):
        read_pair_partial(str(folder / "p"))
    other = (honest.facts.tables[0], (tables[1],))
    facts = replace(facts, tables=other, sums=(honest.facts.sums[0], facts.sums[1]))
    (folder / "p").write_bytes(b"".join(replace(honest, facts=facts).pieces()))
    with pytest.raises(InputError, match="facts that no run comes to"):
        read_pair_partial(str(folder / "p"))


def test_partials_of_other_versions_are_refused(folder: Path) -> None:
    """Another torch gives other numbers, and another xent other columns."""
    left, right = partial_of(folder, RowRange(0, 40)), partial_of(folder, RowRange(40, 120))
    other = replace(right, tool=replace(right.tool, torch="1.0"))
    with pytest.raises(InputError, match="different versions"):
        merged([("1", left), ("2", other)])
    for change_to, words in (({"schema_version": "0.9"}, "schema version"), ({"columns": left.columns[1:]}, "columns")):
        (folder / "p").write_bytes(b"".join(replace(left, **change_to).pieces()))
        with pytest.raises(InputError, match=words):
            read_pair_partial(str(folder / "p"))


def test_the_dialect_is_of_all_rows(folder: Path) -> None:
    """What cannot be split is refused, and not left out."""
    assert is_one_error(run("--dialect", "llama.cpp", "--shard", "1/2", cwd=folder))


def test_the_schema_is_that_of_the_first_line(folder: Path) -> None:
    """`XENT_UPDATE_GOLDEN=1` writes it again; somebody else's program reads partials by the schema alone."""
    checksum = {
        "type": "string",
        "pattern": "^[0-9a-f]{64}$",
        "description": "SHA-256 of the object without it, as ASCII JSON without blanks, members in their order",
    }
    schema = schema_of(PairPartial, TITLE, {"kind": {"const": "comparison"}, "checksum": checksum})
    schema["properties"]["schema_version"] = {"const": PairPartial.schema_version}
    content = json.dumps(schema, indent=1, ensure_ascii=False) + "\n"
    if os.environ.get("XENT_UPDATE_GOLDEN") == "1":
        SCHEMA.write_text(content)
    assert SCHEMA.read_text() == content
    (folder / "1.part").write_bytes(b"".join(partial_of(folder, RowRange(0, 40)).pieces()))
    (recipe,) = re.findall(r"```python\n(import json.*?)```", SCALE.read_text(), re.DOTALL)
    names: dict[str, Any] = {}
    with chdir(folder):
        exec(recipe, names)
    head, table = names["head"], names["rows"]
    assert fits(head, schema, schema)
    assert not fits(head | {"more": 1}, schema, schema)
    assert len(table) == 2 * (head["facts"]["samples"] - head["facts"]["ignored"])
    assert (table["kl_lower"] <= table["kl"]).all()
