"""Options that are not typed: from the environment and from pyproject.toml, and which of them wins."""

from __future__ import annotations

import json
import os
import re
from contextlib import chdir
from functools import reduce
from pathlib import Path
from typing import Any

import click
import pytest
from click.core import ParameterSource
from process import AGREES, DIFFERS, SAMPLES, is_one_error, xent_here

from xentcli.cli.main import xent as group
from xentcli.cli.options import Groups, Size
from xentcli.cli.settings import NEVER, read_settings
from xentcli.errors import UsageError

DRAWN = ("random", "--samples", "30", "--classes", "2", "--seed", "1")
LONE = {"json", "help"}  # short for --format, and no setting
TEXTS = {
    "weight": "w.csv",
    "head": "head.npy",
    "bias": "bias.npy",
    "bytes": "bytes.npy",
    "expect-kl": "0.0151",
    "group": "axis:0",
    "floor": "bfloat16",
    "expect": "1.5",
    "expect-bpb": "1.5",
    "key": "logits",
    "label-column": "y",
    "labels": "y.npy",
    "expect-row": "3=1.27",
    "columns": "cat,dog",
    "drop": "id",
    "classes": "cat,dog",
    "join": "id",
    "cluster": "tcp://127.0.0.1:1",
    "output": "out",
    "save": "dir",
    "report": "json=out",
    "exec": "./responder",
    "declare": "reductions=mean",
    "only": "plain",
    "skip": "plain",
    "xfail": "known.txt",
    "export": "dir",
    "shard": "3/16",
    "partial": "facts.json",
    "resume": "facts.json",
}

OPTIONS = {
    f"{name} {opt}": (name, opt[2:], param)
    for name, command in group.commands.items()
    for param in command.params
    if isinstance(param, click.Option) and not param.is_eager  # which answers and exits, as --version does
    for opt in param.opts
    if opt.startswith("--") and opt[2:] not in LONE
}


def typed(name: str, option: click.Option) -> Any:
    """A value that the option takes, of TOML's type for it."""
    if isinstance(option.type, click.Choice):
        return [option.type.choices[-1]] if option.multiple else option.type.choices[-1]
    if isinstance(option.type, type(click.BOOL)):
        return True
    if isinstance(option.type, type(click.INT)):
        return 2
    if isinstance(option.type, type(click.FLOAT)):
        return 0.5
    return [TEXTS[name]] if option.multiple else TEXTS[name]


def parsed(command: str, name: str, folder: Path) -> click.Context:
    """The command's parameters, with no more on the command line than it needs besides the option of this name."""
    needed = [f"--{other}=1" for other in ("samples", "classes") if other != name]
    arguments = needed if command == "random" else ["x.npy", "y.npy"]
    parent = group.make_context("xent", [command])
    parent.default_map = read_settings(group, folder)
    return group.commands[command].make_context(command, arguments, parent=parent)


def report(*arguments: str, cwd: Path, env: dict[str, str] | None = None) -> dict[str, Any]:
    ended = xent_here(*arguments, "--json", cwd=cwd, env=env)
    assert ended.code in {0, 1}, ended
    content: dict[str, Any] = json.loads(ended.out)
    return content


@pytest.mark.parametrize(("command", "name", "option"), OPTIONS.values(), ids=OPTIONS)
def test_every_option_is_a_variable_and_a_setting(
    command: str, name: str, option: click.Option, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An option that can only be typed is missing where a CI file sets all the others."""
    value = typed(name, option)
    variable, text = "XENT_" + re.sub("[-.]", "_", name.upper()), value[0] if option.multiple else str(value)
    with monkeypatch.context() as patch:
        patch.setenv(variable, text)
        assert parsed(command, name, tmp_path).get_parameter_source(str(option.name)) == ParameterSource.ENVIRONMENT
    (tmp_path / "pyproject.toml").write_text(f'[tool.xent]\n"{name}" = {json.dumps(value)}\n')
    if name in NEVER:
        with pytest.raises(UsageError, match="may not set this"):
            parsed(command, name, tmp_path)
        return
    assert parsed(command, name, tmp_path).get_parameter_source(str(option.name)) == ParameterSource.DEFAULT_MAP


WRONG = {str: "3", float: "1.5", bool: "true", int: "3", list: '["json=a", 1]', dict: "{a = 1}"}


@pytest.mark.parametrize(("command", "name", "option"), OPTIONS.values(), ids=OPTIONS)
def test_a_setting_of_another_type(command: str, name: str, option: click.Option, tmp_path: Path) -> None:
    """`rows = true`, `ignore-index = 1.5` or `expect = 2.30` must not be read as what they almost are."""
    kind = type(typed(name, option))
    texts = {str, int} if isinstance(option.type, (Size, Groups)) else set()
    fitting = {float: {float, int}, list: set()}.get(kind, {kind}) | texts
    for wrong in WRONG.keys() - fitting:
        text = f'"{WRONG[wrong]}"' if wrong is str else WRONG[wrong]
        (tmp_path / "pyproject.toml").write_text(f'[tool.xent.{command}]\n"{name}" = {text}\n')
        ended = xent_here(command, cwd=tmp_path)
        assert is_one_error(ended), (wrong, ended)
        assert f"[tool.xent.{command}] {name}\n" in ended.err
        assert ("may not set this" if name in NEVER else "another type") in ended.err


SIZES = {
    "1": 1,
    "8388608": 8 << 20,
    "512K": 512 << 10,
    "512k": 512 << 10,
    "64KiB": 64 << 10,
    "4M": 4 << 20,
    "4MiB": 4 << 20,
    "4 MiB": 4 << 20,
    "4mb": 4_000_000,
    "1GB": 10**9,
    "2T": 2 << 40,
    "5B": 5,
}


@pytest.mark.parametrize(("text", "size"), SIZES.items())
def test_sizes(text: str, size: int, tmp_path: Path) -> None:
    """As dd and numfmt have them: `K` and `KiB` are 1,024 bytes, and `KB` is 1,000."""
    assert Size(min=1).convert(text, None, None) == size
    (tmp_path / "pyproject.toml").write_text(f"[tool.xent]\nblock-bytes = {text if text.isdigit() else repr(text)}\n")
    assert parsed("compute", "block-bytes", tmp_path).params["block_bytes"] == size


@pytest.mark.parametrize("text", ["0", "0K", "-1", "", "K", "1.5M", "4Mi", "4 M B", "1e6", "4MBs", "\u0664", "9" * 19])
def test_what_is_no_size(text: str, tmp_path: Path) -> None:
    """A size that was misread is one that nobody finds: it changes no number."""
    ended = xent_here(*DRAWN, f"--block-bytes={text}", cwd=tmp_path)
    assert is_one_error(ended), ended
    assert "--block-bytes" in ended.err


def test_what_experts_set_stands_apart(tmp_path: Path) -> None:
    """Under a heading of its own, after everything that changes a number; and every option under one."""
    running = {"threads", "block-bytes"}
    workers = {"jobs", "jobs-timeout", "cluster", "cluster-timeout"}
    for command, experts in (("compute", running | workers), ("random", running)):
        usual, _, apart = xent_here(command, "--help", cwd=tmp_path).out.partition("\nRunning, for experts:\n")
        own = {name for key, (owner, name, _) in OPTIONS.items() if owner == command}
        assert {name for name in own if f"  --{name} " in apart} == experts
        assert {name for name in own if f"--{name} " in usual} == own - experts


def test_how_it_runs_changes_no_number(tmp_path: Path) -> None:
    """The same bytes of JSON from a laptop and from a server, however it is told to run."""
    runs = [(), ("--threads", "1"), ("--threads", "3", "--block-bytes", "40"), ("--block-bytes", "1GiB")]
    assert len({xent_here(*DRAWN, *run, "--json", cwd=tmp_path).out for run in runs}) == 1


EFFECTS = {
    "XENT_LABEL_SMOOTHING": ("0.25", ("options", "label_smoothing"), 0.25),
    "XENT_REDUCTION": ("sum", ("options", "reduction"), "sum"),
    "XENT_IGNORE_INDEX": ("1", ("options", "ignore_index"), 1),
    "XENT_DTYPE": ("float64", ("options", "dtype"), "float64"),
    "XENT_REFERENCE": ("off", ("losses", "reference"), None),
    "XENT_RTOL": ("0.5", ("options", "rtol"), 0.5),
    "XENT_EXPECT": ("0.5", ("expectation", "claimed"), "0.5"),
    "XENT_SCALE": ("0", ("input", "logits", "range", "maximum"), 0.0),
}


@pytest.mark.parametrize(("variable", "effect"), EFFECTS.items(), ids=EFFECTS)
def test_a_variable_has_its_effect(variable: str, effect: tuple[str, tuple[str, ...], object], tmp_path: Path) -> None:
    """The variable is the option: in the environment, and in pyproject.toml by its name there."""
    text, path, expected = effect
    name, number = variable.removeprefix("XENT_").lower().replace("_", "-"), text.replace(".", "").isdigit()
    by_variable = report(*DRAWN, cwd=tmp_path, env={variable: text})
    (tmp_path / "pyproject.toml").write_text(
        f"[tool.xent]\n{name} = {text if number and name != 'expect' else json.dumps(text)}\n"
    )
    for content in (by_variable, report(*DRAWN, cwd=tmp_path)):
        assert reduce(lambda record, key: record[key], path, content) == expected


def test_printing_can_be_set(tmp_path: Path) -> None:
    """The format, quietness, files and exit code, which JSON does not tell."""
    assert xent_here(*DRAWN, cwd=tmp_path, env={"XENT_FORMAT": "csv"}).out.startswith("reduction,")
    assert xent_here(*DRAWN, cwd=tmp_path, env={"XENT_QUIET": "2"}).out == ""
    assert xent_here("compute", *DIFFERS, "--strict", cwd=tmp_path, env={"XENT_EXIT_ZERO": "1"}).code == 0
    assert xent_here(*DRAWN, cwd=tmp_path, env={"XENT_REPORT": "json=a markdown=b", "XENT_OUTPUT": "c"}).out == ""
    assert {path.name for path in tmp_path.iterdir()} == {"a", "b", "c"}


def test_what_is_typed_wins(tmp_path: Path) -> None:
    """Command line, environment, pyproject.toml, default: in this order, each seen to count without those before."""
    rows = [len(report(*DRAWN, cwd=tmp_path)["samples"])]
    (tmp_path / "pyproject.toml").write_text("[tool.xent]\nrows = 7\nformat = 'csv'\n")
    rows += [
        len(report(*DRAWN, *arguments, cwd=tmp_path, env=env)["samples"])
        for arguments, env in (((), {}), ((), {"XENT_ROWS": "8"}), (("--rows", "9"), {"XENT_ROWS": "8"}))
    ]
    assert rows == [20, 7, 8, 9]


def test_typed_labels_win_over_a_label_column(tmp_path: Path) -> None:
    """A project whose tables hold their labels can still give another file; the column must be typed to conflict."""
    (tmp_path / "pyproject.toml").write_text("[tool.xent]\nlabel-column = 'label'\n")
    assert xent_here("compute", *AGREES, "-q", cwd=tmp_path).code == 0
    assert xent_here("compute", str(SAMPLES / "one_file" / "samples.csv"), "-q", cwd=tmp_path).code == 0
    assert is_one_error(xent_here("compute", *AGREES, "--label-column", "label", cwd=tmp_path))


@pytest.mark.parametrize("env", [{}, {"XENT_FORMAT": "csv"}])
@pytest.mark.parametrize("setting", ["", "[tool.xent]\nformat = 'markdown'\n"])
@pytest.mark.parametrize("arguments", [["--json"], ["-f", "json"], ["-f", "csv", "--json"]])
def test_json_is_short_for_its_format(arguments: list[str], setting: str, env: dict[str, str], tmp_path: Path) -> None:
    """A script that asks for JSON gets it, whatever else is set."""
    (tmp_path / "pyproject.toml").write_text(setting)
    assert json.loads(xent_here(*DRAWN, *arguments, cwd=tmp_path, env=env).out)["schema_version"] == "2.0"


def test_tables_of_commands(tmp_path: Path) -> None:
    """A command's own table wins over the shared settings, and other commands do not see it."""
    (tmp_path / "pyproject.toml").write_text(
        "[tool.xent]\nrows = 5\nlabel-smoothing = 0\n[tool.xent.random]\nrows = 6\nscale = 2\n[tool.xent.compute]\n"
    )
    assert read_settings(group, tmp_path)["random"] == {"rows": 6, "label_smoothing": 0, "scale": 2}
    assert read_settings(group, tmp_path)["compute"] == {"rows": 5, "label_smoothing": 0}
    assert len(report(*DRAWN, cwd=tmp_path)["samples"]) == 6


def test_the_nearest_folder_with_our_settings_wins(tmp_path: Path) -> None:
    """In a repository of packages the package's settings count; a package that has none has the repository's."""
    (tmp_path / ".git").mkdir()
    inner, plain = tmp_path / "a" / "inner", tmp_path / "a" / "plain" / "deep"
    for folder in (inner, plain):
        folder.mkdir(parents=True)
    (tmp_path / "pyproject.toml").write_text("[tool.xent]\nrows = 3\n")
    (inner / "pyproject.toml").write_text("[tool.xent]\nignore-index = 5\n")
    (plain.parent / "pyproject.toml").write_text("[project]\nname = 'xent-user'\n")
    assert read_settings(group, inner)["random"] == {"ignore_index": 5}
    assert read_settings(group, plain)["random"] == {"rows": 3}
    assert len(report(*DRAWN, cwd=plain)["samples"]) == 3


def test_files_named_in_settings_lie_beside_them(tmp_path: Path) -> None:
    """A weight file that is set for a project is found from every folder of the project."""
    folder = tmp_path / "deep"
    folder.mkdir()
    (tmp_path / ".git").write_text("gitdir: as in a worktree\n")
    (tmp_path / "w.csv").write_text("1\n2\n")
    (tmp_path / "pyproject.toml").write_text("[tool.xent]\nweight = 'w.csv'\n")
    assert report(*DRAWN, cwd=folder)["options"]["weight"] == str(tmp_path / "w.csv")


DEEDS = {
    "[tool.xent.conform]\nexec = 'touch deed'": "runs a program",
    "[tool.xent.conform]\nexec = ['touch deed']": "runs a program",
    "[tool.xent]\ncluster = 'tcp://127.0.0.1:1'": "connects to other machines",
    "[tool.xent]\nweight = 'https://127.0.0.1:1/w.csv'": "reads an address",
    "[tool.xent]\nweight = 's3://bucket/w.npy'": "reads an address",
    **{f"[tool.xent]\n{key} = 'deed'": "writes files" for key in ("output", "partial", "save", "export", "resume")},
    "[tool.xent]\nreport = ['json=deed']": "writes files",
}


@pytest.mark.parametrize("given", [[], ["--config", "pyproject.toml"]], ids=["found", "named"])
@pytest.mark.parametrize(("text", "deed"), DEEDS.items(), ids=DEEDS)
def test_a_file_of_settings_does_nothing_itself(tmp_path: Path, text: str, deed: str, given: list[str]) -> None:
    """Whoever clones a repository and checks a loss in it must not run its commands, or have its files written."""
    (tmp_path / "pyproject.toml").write_text(f"{text}\n")
    for command in (DRAWN, ("conform",), ("compute", *AGREES)):
        ended = xent_here(*given, *command, cwd=tmp_path)
        assert is_one_error(ended), ended
        assert deed in ended.err
        assert "in the environment" in ended.err
    assert [path.name for path in tmp_path.iterdir()] == ["pyproject.toml"]


def test_settings_above_the_repository_are_not_read(tmp_path: Path) -> None:
    """What lies in a folder above, /home or a temporary one, is somebody else's."""
    repository, alone = tmp_path / "repository", tmp_path / "alone" / "deep"
    for folder in (repository / ".git", repository / "deep", alone):
        folder.mkdir(parents=True)
    for folder in (tmp_path, alone.parent):
        (folder / "pyproject.toml").write_text("[tool.xent]\nrows = 3\n")
    for folder in (repository, repository / "deep", alone):
        assert read_settings(group, folder)["random"] == {}
    assert read_settings(group, alone.parent)["random"] == {"rows": 3}


def test_settings_of_another_user_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a folder that all may write to, anybody could have left them; who names the file has seen it."""
    path = tmp_path / "pyproject.toml"
    path.write_text("[tool.xent]\nrows = 3\n")
    os.chown(path, 12345, -1) if os.geteuid() == 0 else monkeypatch.setattr("os.geteuid", lambda: 12345)
    ended = xent_here(*DRAWN, cwd=tmp_path)
    assert is_one_error(ended), ended
    assert "belongs to another user" in ended.err
    for way in (["--isolated"], ["--config", str(path)]):
        assert xent_here(*way, *DRAWN, cwd=tmp_path).code == 0


FAULTS = {
    "unknown key": (b"[tool.xent]\nreductoin = 'sum'\n", ["'reductoin'", "did you mean reduction?", "label-smoothing"]),
    "unknown key of a command": (b"[tool.xent.random]\nquiten = 1\n", ["'quiten'", "[tool.xent.random]"]),
    "key of another command": (b"[tool.xent.compute]\nsamples = 1\n", ["'samples'", "[tool.xent.compute]"]),
    "underscore": (b"[tool.xent]\nlabel_smoothing = 0.1\n", ["'label_smoothing'", "did you mean label-smoothing?"]),
    "unknown command": (b"[tool.xent.explode]\nrows = 1\n", ["'explode'"]),
    "no TOML": (b"[tool.xent\n", ["not TOML", "line 1"]),
    "no UTF-8": (b"[tool.xent]\nformat = '\xff'\n", ["not TOML", "utf-8"]),
    "a value for a table": (b"[tool]\nxent = 5\n", ["not a table", "[tool.xent]"]),
    "a list of tables": (b"[[tool.xent]]\nrows = 1\n", ["not a table"]),
    "a value for a command": (b"[tool.xent]\nrandom = 5\n", ["not a table", "[tool.xent.random]"]),
    "out of range": (b"[tool.xent]\nrows = -1\n", ["'--rows'", "-1", "[tool.xent]", "x>=0"]),
    "no such choice": (b"[tool.xent]\ndtype = 'float8'\n", ["'--dtype'", "float8", "bfloat16", "[tool.xent]"]),
    "not finite": (b"[tool.xent]\nrtol = nan\n", ["'--rtol'", "nan", "[tool.xent]"]),
}


@pytest.mark.parametrize(("content", "words"), FAULTS.values(), ids=FAULTS)
def test_a_faulty_setting_is_told(content: bytes, words: list[str], tmp_path: Path) -> None:
    """A setting with a slip that is passed over is a loss computed with other options than its reader believes."""
    (tmp_path / "pyproject.toml").write_bytes(content)
    ended = xent_here(*DRAWN, cwd=tmp_path)
    assert is_one_error(ended), ended
    for word in words:
        assert word in ended.err


@pytest.mark.parametrize("arguments", [["--help"], ["--version"]])
def test_help_does_not_read_settings(arguments: list[str], tmp_path: Path) -> None:
    """Whoever mends a faulty pyproject.toml needs the help."""
    (tmp_path / "pyproject.toml").write_text("[tool.xent]\nnothing = 1\n")
    assert xent_here(*arguments, cwd=tmp_path).code == 0


def test_a_faulty_variable_is_told(tmp_path: Path) -> None:
    """Nobody looks for a mistake in an environment that was set up long ago."""
    ended = xent_here(*DRAWN, cwd=tmp_path, env={"XENT_ROWS": "many"})
    assert is_one_error(ended)
    assert "environment variable XENT_ROWS" in ended.err
    assert "'many'" in ended.err


def test_other_projects_files_are_left_alone(tmp_path: Path) -> None:
    """A pyproject.toml that does not speak of xent may be as broken as it likes."""
    (tmp_path / "pyproject.toml").write_bytes(b"[tool.black\n\xff")
    assert xent_here(*DRAWN, "-q", cwd=tmp_path).code == 0


def test_a_folder_that_is_gone(tmp_path: Path) -> None:
    """Somebody else may remove the folder that a shell stands in; absolute names still work."""
    gone = tmp_path / "gone"
    gone.mkdir()
    with chdir(gone):
        gone.rmdir()
        assert read_settings(group, Path())["random"] == {}


SUM = "[tool.xent]\nreduction = 'sum'\n"


@pytest.mark.parametrize("before", [True, False])
def test_isolated_reads_no_file(before: bool, tmp_path: Path) -> None:
    """A run that must be the same everywhere ignores the file, faulty or not; the environment counts, as for ruff."""
    (tmp_path / "pyproject.toml").write_text("[tool.xent]\nnothing = 1\n")
    arguments = ["--isolated", *DRAWN] if before else [*DRAWN, "--isolated"]
    assert report(*arguments, cwd=tmp_path)["options"]["reduction"] == "mean"
    assert report(*arguments, cwd=tmp_path, env={"XENT_REDUCTION": "sum"})["options"]["reduction"] == "sum"
    assert report(*DRAWN, cwd=tmp_path, env={"XENT_ISOLATED": "1"})["options"]["reduction"] == "mean"


@pytest.mark.parametrize(("name", "text"), [("other.toml", SUM), ("xent.toml", "reduction = 'sum'\n")])
@pytest.mark.parametrize("before", [True, False])
def test_settings_of_a_given_file(name: str, text: str, before: bool, tmp_path: Path) -> None:
    """The file that is named is read instead of the nearest: a table of a pyproject.toml, or a file of its own."""
    (tmp_path / "pyproject.toml").write_text("[tool.xent]\nnothing = 1\n")
    (tmp_path / name).write_text(text)
    arguments = ["--config", name, *DRAWN] if before else [*DRAWN, "--config", name]
    assert report(*arguments, cwd=tmp_path)["options"]["reduction"] == "sum"


def test_a_given_file_without_settings(tmp_path: Path) -> None:
    """Whoever names a file expects that something is in it."""
    (tmp_path / "a.toml").write_text("[tool.black]\nline-length = 1\n")
    ended = xent_here("--config", "a.toml", *DRAWN, cwd=tmp_path)
    assert is_one_error(ended)
    assert "[tool.xent]" in ended.err


def test_a_fault_of_a_given_file_names_it(tmp_path: Path) -> None:
    """The message must not send its reader to the pyproject.toml."""
    (tmp_path / "xent.toml").write_text("rows = -1\n[random]\nrowz = 1\n")
    ended = xent_here("--config", "xent.toml", *DRAWN, cwd=tmp_path)
    assert is_one_error(ended)
    assert "  at        xent.toml, [random]\n" in ended.err
    (tmp_path / "xent.toml").write_text("rows = -1\n")
    ended = xent_here("--config", "xent.toml", *DRAWN, cwd=tmp_path)
    assert "xent.toml" in ended.err
    assert "tool.xent" not in ended.err


def test_verbose_tells_where_options_came_from(tmp_path: Path) -> None:
    """A number that differs between two machines is often a setting that nobody remembers."""
    (tmp_path / "pyproject.toml").write_text(SUM)
    quiet = xent_here(*DRAWN, cwd=tmp_path, env={"XENT_ROWS": "2"})
    for arguments in (["-v", *DRAWN], [*DRAWN, "--verbose"]):
        ended = xent_here(*arguments, cwd=tmp_path, env={"XENT_ROWS": "2"})
        assert ended.out == quiet.out
        path = tmp_path / "pyproject.toml"
        told = [f"settings: {path}", f"  --reduction sum, from {path}", "  --rows 2, from XENT_ROWS"]
        assert sorted(ended.err.splitlines()) == sorted(told)
    assert "no file" in xent_here("-v", "--isolated", *DRAWN, "-q", cwd=tmp_path).err
    assert quiet.err == ""


def test_a_report_says_which_options_were_not_typed(tmp_path: Path) -> None:
    """A sum that is taken for a mean, as some folder above sets it, is a wrong number without a trace."""
    (tmp_path / "pyproject.toml").write_text(SUM)
    path, env = str(tmp_path / "pyproject.toml"), {"XENT_ROWS": "2", "COLUMNS": "400"}
    told = json.loads(xent_here(*DRAWN, "--json", cwd=tmp_path, env=env).out)["settings"]
    assert sorted(told, key=lambda each: each["option"]) == [
        {"option": "--reduction", "value": "sum", "source": path},
        {"option": "--rows", "value": "2", "source": "XENT_ROWS"},
    ]
    for form in ("table", "markdown"):
        out = xent_here(*DRAWN, "-f", form, cwd=tmp_path, env=env).out.replace("\\", "")
        assert f"--reduction sum, from {path}" in out
        assert "--rows 2, from XENT_ROWS" in out
    typed = xent_here("--isolated", *DRAWN, "--json", "--rows", "2", cwd=tmp_path, env={"XENT_ROWS": "3"})
    assert "settings" not in json.loads(typed.out)


@pytest.mark.parametrize("variable", [{}, {"NO_COLOR": "1"}, {"FORCE_COLOR": "1"}])
def test_colour_by_option(variable: dict[str, str], tmp_path: Path) -> None:
    """What is typed wins over the variables of all programs; auto leaves it to them."""
    forced = "FORCE_COLOR" in variable
    for when, colored in {"always": True, "never": False, "auto": forced}.items():
        for arguments in (["--color", when, *DRAWN], [*DRAWN, "--color", when]):
            assert ("\x1b[" in xent_here(*arguments, cwd=tmp_path, env=variable).out) == colored
        assert ("\x1b[" in xent_here(*DRAWN, cwd=tmp_path, env=variable | {"XENT_COLOR": when}).out) == colored


def test_brackets_without_end_are_no_bug(tmp_path: Path) -> None:
    """TOML's reader goes down one call a bracket, and ended with a bug of ours."""
    (tmp_path / "pyproject.toml").write_text("[tool.xent]\nrows = " + "[" * 20_000)
    assert is_one_error(xent_here(*DRAWN, cwd=tmp_path))


def test_settings_without_end_are_refused(tmp_path: Path) -> None:
    """A device has no end: it was read until the memory was full."""
    assert is_one_error(xent_here(*DRAWN, "--config", "/dev/zero", cwd=tmp_path))
