"""What LOGITS and LABELS name: a file, an address, or several by a pattern, a manifest or a folder."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from glob import escape, glob, has_magic
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from xentcli.errors import InputError, UsageError
from xentcli.sources.files import (
    ADDRESS,
    check_file,
    check_input,
    count,
    excerpt,
    exists,
    is_address,
    opened,
    split_key,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

MANIFEST, COMMENT = "@", "#"
MANIFEST_BYTES = 64 << 20
SERVERLESS = {"file", "local", "memory"}  # addresses of this machine
PORTS = {"http": 80, "https": 443}  # that an address means without one


@dataclass(frozen=True)
class Names:
    """The files that a name stands for, in their order; each may be opened by its own name."""

    given: str  # as the user wrote it
    files: tuple[str, ...]
    hint: str = ""  # what to do if one of them is no input

    def __len__(self) -> int:
        return len(self.files)

    def of_array(self, key: str | None) -> Names:
        """The same files, of which each shall give this array."""
        if key is None:
            return self
        return replace(self, given=f"{self.given}:{key}", files=tuple(f"{file}:{key}" for file in self.files))


def is_elsewhere(name: str) -> bool:
    """Whether a server must be asked which files a name stands for."""
    return is_address(name.removeprefix(MANIFEST)) and not exists(name)


def check_names(name: str) -> int | None:
    """Refuse what cannot be opened, and count the files; None where only a server can say, which nobody asks yet.

    Nothing heavy is imported, so that a wrong name is told at once.
    """
    if is_elsewhere(name):
        return None
    names = local_names(name)
    for file in names.files:
        check_input(file)
        if len(names) > 1 and not is_address(file) and not Path(split_key(file)[0]).is_file():
            raise InputError("this is a pipe, which cannot be one of several files", at=file)
    return len(names)


def name_elsewhere(name: str) -> str:
    """What names the same files in a process that stands in another folder; UsageError for a pipe."""
    if is_elsewhere(name):
        return name
    path, key = split_key(name)
    array = "" if key is None else f":{key}"
    if not exists(path) and path.startswith(MANIFEST):
        return f"{MANIFEST}{_lasting(path.removeprefix(MANIFEST))}{array}"
    if not exists(path) and has_magic(path):
        return f"{Path(escape(str(Path.cwd())), path)}{array}"
    return f"{_lasting(path)}{array}"


def check_counts(logits: int | None, labels: int | None, at: str) -> None:
    """InputError unless there is a file of labels for each of the logits, or one for all; None is not yet known."""
    if logits is None or labels in {None, 1, logits}:
        return
    raise InputError(
        "the numbers of files differ",
        at=at,
        found=f"{count(logits, 'file')} of logits, {labels:,} of labels",
        expected="as many of labels, in the same order, or one for all",
    )


def local_names(name: str) -> Names:
    """The files of a name that is no address; what exists is taken as it stands, whatever signs are in its name.

    The files of a pattern and of a folder come in natural order, those of a manifest in its own.
    Errors: InputError for a manifest that cannot be read, and where there are no files.
    """
    path, key = split_key(name)
    return _named(path).of_array(key)


def manifest_names(name: str, text: bytes, folder: str) -> Names:
    """The files that a manifest lists, one a line; a line that begins with # is a comment.

    folder  what the names are relative to, up to and with its last slash, or empty
    """
    try:
        lines = [line.strip() for line in text.decode("utf-8-sig").splitlines()]
    except UnicodeDecodeError as error:
        raise InputError("this manifest is not text", at=name, expected="UTF-8, one file a line") from error
    files = [line for line in lines if line and not line.startswith(COMMENT)]
    if not files:
        raise InputError("this manifest lists no files", at=name, expected="one file a line")
    return Names(name, tuple(file if ADDRESS.fullmatch(file) else _beside(folder, file) for file in files))


def of_its_server(names: Names, manifest: str) -> Names:
    """The names, which a manifest behind this address lists.

    Errors: InputError for what is not on the server that the manifest came from: it may be anybody's.
    """
    own = _server(manifest)
    for file in names.files:
        if own[0] not in SERVERLESS and ("::" in file or _server(file) != own):
            raise InputError(
                "a manifest of a server may name only files of that server",
                at=f"{names.given}",
                found=excerpt(file, 100),
                expected="a name relative to the manifest's, or an address of the same server",
                hint="download the manifest, and name it there, if you trust it",
            )
    return names


def _server(address: str) -> tuple[str, str | None, int | None]:
    """The scheme, the host and the port of an address; nothing for a file of this machine."""
    try:
        split = urlsplit(address)
        return split.scheme, split.hostname, split.port or PORTS.get(split.scheme)
    except ValueError:
        return "", None, None


def in_natural_order(files: Iterable[str]) -> list[str]:
    """Numbers in names by their size: shard-2 before shard-10; folder by folder."""
    return sorted(files, key=lambda file: ([_natural(part) for part in file.split("/")], file))


def _natural(part: str) -> list[str | int]:
    """Text and numbers in turn, so that each is compared with its like."""
    return [int(piece) if number % 2 else piece for number, piece in enumerate(re.split(r"(\d+)", part))]


def _named(name: str) -> Names:
    if exists(name) and Path(name).is_dir():
        _check_folder(Path(name))
        hint = f"a folder means each of its files; a pattern chooses some: {excerpt(str(Path(name, '*.npy')))}"
        return _several(name, _files(Path(name)), hint, what="this directory holds no files")
    if not exists(name):
        if name.startswith(MANIFEST):
            return _listed(name)
        if has_magic(name):
            return _several(name, glob(name, recursive=True), what="no file matches this pattern")
    return Names(name, (name,))


FOLDERS = (  # a file in it -> what the folder is, and what to do
    ("zarr.json", "a zarr array or group", "np.save('logits.npy', zarr.open({name!r})[...])"),
    (".zarray", "a zarr array", "np.save('logits.npy', zarr.open({name!r})[...])"),
    (".zgroup", "a zarr group", "np.savez('both.npz', **{{k: v[...] for k, v in zarr.open({name!r}).arrays()}})"),
    ("dataset_info.json", "a data set of save_to_disk", "xent compute {quoted}"),
    ("dataset_dict.json", "several data sets of save_to_disk", "name one of its folders"),
)


def _check_folder(folder: Path) -> None:
    """InputError that says what a folder is that some library makes of one array or table."""
    for file, what, todo in FOLDERS:
        if (folder / file).is_file():
            quoted = quote(str(folder / "data-*.arrow"))
            hint = todo.format(name=str(folder), quoted=quoted)
            raise InputError("this folder is no list of files", at=str(folder), found=what, hint=hint)
    kinds = {
        role: [each.name for each in folder.iterdir() if role in each.name.lower()] for role in ("logits", "labels")
    }
    if all(kinds.values()):
        patterns = (quote(str(folder / f"*{role}*")) for role in kinds)
        raise InputError(
            "this folder holds logits and labels, each in files of their own",
            at=str(folder),
            found=", ".join(f"{count(len(names), 'file')} of {role}" for role, names in kinds.items()),
            hint=f"xent compute {' '.join(patterns)}",
        )
    if parts := sorted(each.name for each in folder.iterdir() if each.is_dir() and "=" in each.name):
        key = parts[0].partition("=")[0]
        pattern = quote(str(folder / f"{key}=*" / "*.parquet"))
        raise InputError(
            "this folder is no list of files",
            at=str(folder),
            found=f"a partition by {excerpt(key)}",
            hint=f"xent compute {pattern}",
        )


def _several(name: str, files: Iterable[str], hint: str = "", *, what: str) -> Names:
    found = in_natural_order(file for file in files if not Path(file).is_dir())
    if not found:
        raise InputError(what, at=name)
    return Names(name, tuple(found), hint)


def _files(folder: Path) -> list[str]:
    return [str(path) for path in folder.iterdir() if not path.name.startswith(".")]


def _listed(name: str) -> Names:
    path = name.removeprefix(MANIFEST)
    check_file(path)
    with opened(path) as file:
        text = file.read(MANIFEST_BYTES + 1)
    if len(text) > MANIFEST_BYTES:
        raise InputError("this is too long for a manifest", at=name, found=f"more than {count(MANIFEST_BYTES, 'byte')}")
    return manifest_names(name, text, path[: path.rfind("/") + 1])


def _lasting(path: str) -> Path:
    """The absolute path of what can be read more than once."""
    if path.startswith("/dev/") or not (Path(path).is_file() or Path(path).is_dir()):
        raise UsageError(
            "other processes cannot read this, as its data come only once",
            at=path,
            hint="save it as a file, or compute in this process: without --jobs and --cluster",
        )
    return Path(path).absolute()


def _beside(folder: str, file: str) -> str:
    return file if file.startswith("/") else folder + file
