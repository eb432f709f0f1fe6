"""Partials: however the rows are shared out, saved and put together, the report is that of one run."""

from __future__ import annotations

import dataclasses
import json
import os
from functools import cache
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from json_schema import fits
from record_schema import schema_of
from strategies import Case, cases

import xentcli
from xentcli.errors import InputError, UsageError
from xentcli.measuring.facts import Measured
from xentcli.numbers.arrays import Array, in_memory
from xentcli.question.claims import Claim
from xentcli.question.policy import Policy, Tolerance
from xentcli.question.problem import Options, Problem
from xentcli.question.share import RowRange, Share
from xentcli.records.codec import decode, encode
from xentcli.running.engine import measure_rows, run
from xentcli.running.identity import digest
from xentcli.running.merging import check_whole, merged, merged_report
from xentcli.running.partial import Asked, Partial
from xentcli.running.reading import read_partial
from xentcli.sources.memory import from_memory
from xentcli.sources.named import NamedInputs

if TYPE_CHECKING:
    from collections.abc import Sequence

SCHEMA = Path(xentcli.__file__).parent / "running" / "partial.schema.json"
TITLE = "Exact facts of some rows of a cross-entropy, as `xent compute --partial` and `--resume` write them"
CHECKSUM = {
    "type": "string",
    "pattern": "^[0-9a-f]{64}$",
    "description": "SHA-256 of the object without this member, as ASCII JSON without blanks, members in their order",
}
WHOLE, USUAL = Share(1, 1), Policy()
NAMED = NamedInputs("logits.npy", "labels.npy", None, None, None)
DRAWN = torch.Generator().manual_seed(1)
LOGITS, LABELS = torch.randn(12, 3, generator=DRAWN), torch.randint(3, (12,), generator=DRAWN)


def problem_of(case: Case, block_bytes: int) -> Problem:
    weight = None if case.weight is None else from_memory(case.weight, "weight")
    options = Options(weight=weight, class_axis=case.class_axis, **case.options)
    arrays = from_memory(case.logits, "logits"), from_memory(case.target, "labels")
    return Problem(*arrays, options, block_bytes, in_parts=True)


def small(labels: Any = LABELS, **options: Any) -> Problem:
    return Problem(from_memory(LOGITS, "logits"), from_memory(labels, "labels"), Options(**options), in_parts=True)


def partial_of(problem: Problem, share: Share = WHOLE, policy: Policy = USUAL) -> Partial:
    rows = share.rows(problem.sample_shape)
    return Partial.of(Asked.of(problem, policy), NAMED, rows.start, measure_rows(problem, policy, rows))


def saved(partial: Partial) -> Partial:
    """The partial as a file gives it back."""
    content = json.loads(partial.to_bytes())
    del content["checksum"], content["kind"]
    return decode(Partial, content, "partial")


def text(partial: Partial, policy: Policy) -> str:
    return json.dumps(partial.report("compute", policy.expect).to_dict(), allow_nan=False)


def named(partials: Sequence[Partial]) -> list[tuple[str, Partial]]:
    return [(f"{number}.json", partial) for number, partial in enumerate(partials, 1)]


@given(cases(), st.integers(1, 200), st.randoms())
@settings(max_examples=80)
def test_shares_put_together_are_the_whole(case: Case, block_bytes: int, random: Any) -> None:
    """Sixteen machines must give the bytes that one gives, whatever their memory, and in whatever order they end."""
    assume(case.options["reduction"] != "none")
    policy = Policy(rows=3)
    problem = problem_of(case, block_bytes)
    count = random.randint(1, max(1, problem.sample_shape[0] if problem.sample_shape else 1))
    parts = named([saved(partial_of(problem, Share(number, count), policy)) for number in range(1, count + 1)])
    middle = random.randint(0, len(parts))
    halves = [saved(merged(half)) for half in (parts[:middle], parts[middle:]) if half]
    random.shuffle(parts)
    random.shuffle(halves)
    expected = json.dumps(run(problem, policy).to_dict())
    for together in (merged(parts), merged(named(halves))):
        check_whole(together)
        assert text(together, policy) == expected


@given(cases(), st.integers(1, 100), st.data())
@settings(max_examples=40)
def test_a_run_goes_on_where_it_was_ended(case: Case, block_bytes: int, data: st.DataObject) -> None:
    """The facts after any block, read back from their file, are all that the rest of the run needs."""
    assume(case.options["reduction"] != "none")
    policy, problem = Policy(rows=2), problem_of(case, block_bytes)
    rows, moments = RowRange(0, problem.samples), []
    whole = measure_rows(problem, policy, rows, journal=moments.append)
    asked = Asked.of(problem, policy)
    begun = saved(Partial.of(asked, NAMED, 0, data.draw(st.sampled_from(moments)))).facts
    other = dataclasses.replace(problem, block_bytes=data.draw(st.integers(1, 100)))
    again = measure_rows(other, policy, rows, begun)
    assert text(Partial.of(asked, NAMED, 0, again), policy) == text(Partial.of(asked, NAMED, 0, whole), policy)


def test_what_is_done_is_not_done_again() -> None:
    """A resumed run that read all rows once more would save nobody anything."""
    problem, policy = small(), Policy()
    facts = measure_rows(problem, policy, RowRange(0, 12))

    def unreadable(*_: object) -> Any:
        raise AssertionError

    closed = dataclasses.replace(problem, logits=dataclasses.replace(problem.logits, read=unreadable))
    assert measure_rows(closed, policy, RowRange(0, 12), facts) is facts


@given(st.integers(0, 40), st.integers(1, 40), st.integers(0, 3))
def test_shares_are_equal_and_leave_nothing_out(entries: int, count: int, each: int) -> None:
    """A row in no share or in two would be noticed after days of computing, by `xent merge`."""
    if count > max(1, entries):
        with pytest.raises(UsageError, match="more shares"):
            Share(count, count).rows((entries, each))
        return
    shares = [Share(number, count).rows((entries, each)) for number in range(1, count + 1)]
    assert [share.start for share in shares] == [0, *(share.stop for share in shares[:-1])]
    assert shares[-1].stop == entries * each
    sizes = {(share.stop - share.start) for share in shares}
    assert max(sizes) - min(sizes) <= each


@pytest.mark.parametrize("text", ["0/3", "4/3", "1", "1/0", "a/b", "1/3/5", "-1/3", "1/3 ", "\u0661/3", ""])
def test_what_is_no_share_is_refused(text: str) -> None:
    """A slip in a job array's script must not compute some other share."""
    with pytest.raises(UsageError, match="this is no share"):
        Share.parse(text)


OTHERS = {
    "ignore_index": small(ignore_index=1),
    "label_smoothing": small(label_smoothing=0.5),
    "reduction": small(reduction="sum"),
    "dtype": small(dtype="float64"),
    "other numbers in the labels": small((LABELS + 1) % 3),
    "other numbers in the weight": small(weight=from_memory(torch.tensor([1.0, 2.0, 3.0]), "weight")),
    "labels.dtype": small(LABELS.int()),
}


@pytest.mark.parametrize("difference", OTHERS)
def test_partials_of_something_else_are_refused(difference: str) -> None:
    """A sum of two different losses is no loss."""
    left, right = partial_of(small(), Share(1, 2)), partial_of(OTHERS[difference], Share(2, 2))
    with pytest.raises(InputError, match="different") as error:
        merged(named([left, right]))
    assert error.value.details["at"] == "1.json and 2.json"
    assert difference in error.value.details["found"]


POLICIES = {"shown": Policy(rows=1), "digits": Policy(digits=9), "rtol": Policy(tolerance=Tolerance(0.1, 0.0))}


@pytest.mark.parametrize("difference", POLICIES)
def test_partials_judged_otherwise_are_refused(difference: str) -> None:
    """Which tolerance would the report be of?"""
    left, right = partial_of(small(), Share(1, 2)), partial_of(small(), Share(2, 2), POLICIES[difference])
    with pytest.raises(InputError, match="different options") as error:
        merged(named([left, right]))
    assert difference in error.value.details["found"]


def test_partials_of_other_versions_are_refused() -> None:
    """Another torch gives other losses."""
    left, right = (partial_of(small(), Share(number, 2)) for number in (1, 2))
    other = dataclasses.replace(right, tool=dataclasses.replace(right.tool, torch="1.0"))
    with pytest.raises(InputError, match="different versions"):
        merged(named([left, other]))


def test_a_copy_in_another_place_is_the_same_input() -> None:
    """Shards are computed where the files are, under other names."""
    left, right = (partial_of(small(), Share(number, 2)) for number in (1, 2))
    about = dataclasses.replace(right.asked.about, logits=dataclasses.replace(right.asked.about.logits, path="copy"))
    moved = dataclasses.replace(right, asked=dataclasses.replace(right.asked, about=about))
    assert merged(named([moved, left])).report("merge").input.logits.path == "logits"


def test_rows_that_are_missing_or_twice_are_refused() -> None:
    """The message names the rows to compute, or the file to leave out."""
    thirds = [partial_of(small(), Share(number, 3)) for number in (1, 2, 3)]
    with pytest.raises(InputError, match="missing") as missing:
        merged(named([thirds[0], thirds[2]]))
    assert missing.value.details["found"] == "no partial of rows 4 to 7"
    with pytest.raises(InputError, match="missing") as outside:
        check_whole(thirds[1])
    assert outside.value.details["found"] == "no partial of rows 0 to 3, rows 8 to 11"
    with pytest.raises(InputError, match="two partials") as twice:
        merged(named([*thirds, partial_of(small(), Share(2, 4))]))
    assert twice.value.details["found"] == "row 3 in both"
    assert twice.value.details["at"] == "1.json and 4.json"


def test_a_part_says_what_it_is_of() -> None:
    """The mean of a share must not be taken for the mean."""
    report = partial_of(small(), Share(2, 3), Policy(rows=2)).report("compute", share=Share(2, 3))
    assert report.to_dict()["part"] == {"rows": {"start": 4, "stop": 8}, "samples": 12, "share": "2/3"}
    assert report.streamed
    assert report.counts.samples == 4
    assert min(sample.row for sample in report.samples) >= 4
    assert "part" not in partial_of(small()).report("compute").to_dict()


def test_a_claim_is_judged_without_the_inputs() -> None:
    """Looking for the mistake takes them, and a report must not say that there is none."""
    whole = partial_of(small())
    value = run(small(), Policy()).losses.library.value
    right, wrong = (merged_report(whole, Claim.parse(claim)).expectation for claim in (f"{value:.3f}", "7"))
    assert (right.holds, right.causes) == (True, ())
    assert (wrong.holds, wrong.causes) == (False, None)


@cache
def written() -> bytes:
    logits = torch.tensor([[0.0, 200.0], [-torch.inf, 0.0], [torch.nan, 1.0], [1.0, 2.0]])
    problem = Problem(from_memory(logits, "logits"), from_memory(torch.tensor([0, 0, 1, 1]), "labels"), Options())
    return partial_of(dataclasses.replace(problem, in_parts=True)).to_bytes()


def test_every_number_reads_back(tmp_path: Path) -> None:
    """NaN, infinities, fractions and sums beyond float64, to the last bit."""
    file = tmp_path / "partial.json"
    file.write_bytes(written())
    assert b'"nan"' in written()
    assert b'"inf"' in written()
    assert read_partial(str(file)).to_bytes() == written()


@given(st.data())
@settings(max_examples=60)
def test_damage_is_noticed(data: st.DataObject) -> None:
    """One wrong digit on a disk must not become a wrong loss."""
    content = bytearray(written())
    place = data.draw(st.integers(0, len(content) - 2))
    if data.draw(st.booleans()):
        content = content[:place]
    else:
        content[place] ^= 1 << data.draw(st.integers(0, 6))
    try:
        same = json.loads(content) == json.loads(written())  # another blank, or a number written otherwise
    except ValueError:
        same = False
    with NamedTemporaryFile() as file:
        Path(file.name).write_bytes(content)
        if not same:
            with pytest.raises(InputError):
                read_partial(file.name)


@pytest.mark.parametrize(
    "content", ["", "{}", "[]", "[" * 100_000, "null", '{"schema_version": "1.0"}', "\xff", "1e999"]
)
def test_what_is_no_partial_is_refused(content: str, tmp_path: Path) -> None:
    """A report given for a partial, say."""
    file = tmp_path / "other.json"
    file.write_text(content, encoding="latin1")
    with pytest.raises(InputError, match="not a partial"):
        read_partial(str(file))


def test_another_schema_version_is_refused(tmp_path: Path) -> None:
    """What a member means may have changed."""
    file = tmp_path / "old.json"
    own = f'"schema_version": "{Partial.schema_version}"'.encode()
    file.write_bytes(written().replace(own, b'"schema_version": "0.9"'))
    with pytest.raises(InputError, match="another schema version") as error:
        read_partial(str(file))
    assert error.value.details["at"] == str(file)


def places(content: Any, place: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to every member, however deep."""
    items = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    return [found for key, item in items for found in ((*place, key), *places(item, (*place, key)))]


FACTS = json.loads(written())["facts"]


@pytest.mark.parametrize("wrong", [{}, [[]], True, 1.5, -7j, "x"], ids=repr)
def test_members_of_other_types_are_refused(wrong: Any) -> None:
    """Each member in turn: a number that is none must not be added up."""
    for *way, last in places(FACTS):
        content = json.loads(json.dumps(FACTS))
        inner = content
        for key in way:
            inner = inner[key]
        inner[last] = wrong
        try:
            read = decode(Measured, content, "facts")
        except InputError as error:
            told = error.details["at"].startswith("facts.")
        else:
            told = json.dumps(encode(read)) == json.dumps(content)  # it may stand there
        assert told, (way, last)


def test_members_that_are_missing_or_too_many_are_refused() -> None:
    """A member that is silently left out would be a fact that is silently lost."""
    for *way, last in places(FACTS):
        content = json.loads(json.dumps(FACTS))
        inner = content
        for key in way:
            inner = inner[key]
        if isinstance(inner, dict) and way[-1:] not in (["statuses"], ["named"], ["labels"], ["tails"]):
            inner["other"] = inner.pop(last)
            with pytest.raises(InputError, match=r"not the (record|partial sum)"):
                decode(Measured, content, "facts")


def test_the_digest_tells_other_numbers_from_a_copy() -> None:
    """At both ends and between them, of any memory layout."""
    numbers = np.arange(30_000, dtype=np.float32).reshape(3000, 10)
    same = from_memory(np.asfortranarray(numbers), "copy")
    assert digest(from_memory(numbers, "logits")) == digest(same)
    for row in (0, 2999):
        other = numbers.copy()
        other[row, 3] += 1
        assert digest(from_memory(other, "logits")) != digest(same)


@pytest.mark.parametrize("shape", [(0, 3), (1, 3), (3,), (), (10**6, 100), (3, 10**8)])
def test_the_digest_reads_little(shape: tuple[int, ...]) -> None:
    """It stands for terabytes, and each share takes it."""
    taken = []

    def read(axis: int, start: int, stop: int) -> Any:
        taken.append((start, stop))
        return np.zeros(0)

    _, kind, _ = in_memory(np.zeros(0, np.float32))
    digest(Array(shape, kind, read, "logits", "npy", "float32", str))
    entries = shape[0] if shape else 1
    assert all(0 <= start <= stop <= entries for start, stop in taken)
    assert min(start for start, _ in taken) == 0
    assert max(stop for _, stop in taken) == entries
    assert len(taken) <= 16
    each = int(np.prod(shape[1:])) * 4
    assert sum(stop - start for start, stop in taken) * each <= max(1 << 24, 2 * each)


def test_the_schema_is_that_of_the_records() -> None:
    """`XENT_UPDATE_GOLDEN=1` writes it again; who changes a record changes the version, too."""
    schema = schema_of(Partial, TITLE, {"kind": {"const": "loss"}, "checksum": CHECKSUM})
    schema["properties"]["schema_version"] = {"const": Partial.schema_version}
    content = json.dumps(schema, indent=1, ensure_ascii=False) + "\n"
    if os.environ.get("XENT_UPDATE_GOLDEN") == "1":
        SCHEMA.write_text(content)
    assert SCHEMA.read_text() == content


def test_partials_fit_the_schema() -> None:
    """Somebody else's program adds them up from the schema alone."""
    schema, content = json.loads(SCHEMA.read_text()), json.loads(written())
    assert fits(content, schema, schema)
    for *way, last in places(content):
        broken = json.loads(written())
        inner = broken
        for key in way:
            inner = inner[key]
        inner[last] = {"no": "such member"}
        assert not fits(broken, schema, schema), (way, last)
