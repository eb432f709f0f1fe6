"""Libraries in C read in a process of their own: whatever becomes of it, whoever asked gets an answer."""

from __future__ import annotations

import base64
import io
import os
import signal
import threading
import zlib
from typing import TYPE_CHECKING

import format_files as files
import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from xentcli.errors import InputError, UsageError
from xentcli.sources import apart
from xentcli.sources.open import open_array, open_pair
from xentcli.sources.request import Request
from xentcli.sources.source import open_source

if TYPE_CHECKING:
    from pathlib import Path

LOGITS, LABELS = np.arange(12, dtype=np.float32).reshape(4, 3), np.array([0, 2, 1, 1])
CRASHES = (  # damaged HDF5 files that a fuzzer found, of which the library of h5py 3.16 dies
    (
        "c-rgqaB<`1lHy_j0S*oZ76t(ZWbhvfCaR(GVe$!3nh{EOK<O1sFmXn(oCH){5NbZUx{x4OSCH!eXaHu90SkoYU>F4>5qP*d27u@Y"
        "C|?0epI|~&my@5KSyIfvkY1EuS^(lFCZ*;SBhse@iS{xAQye2w0%v5<fY3}30cf&hV20A@d}d(E2dNZPkcY}CFo<(7h}T2qS)t}L"
        "F+&XGW(WZD8KDL+f#n$)iZe>n(sEMa<}*UYQ&Q7%5=&B%?1khnpxTn;jMO4yBUrwH<UnR7<_cDr(GX{XwF*G>d5S^98y*6vIWE}G"
        "--Quw3j@PLe$@QW36;<kg3z#hFDZ&YoME;oFprG%3@Yy!fl+{7-Z2r-w}BruTyd#C$&bos!jVo#!O#SZqd_nVM!_f;1*2dTj2KW6"
        "mz?0h#>*}tBJl<Y-ZBcrGR@qj^=uwkf}y>ojg#B#Ml&OWf-_6?Q6t{BxH{nI4Rt~t@QuQw9dIgw`k~$dhjjowh0r?SXdP}3iW|DD"
        "XdQ4!N@iq4?SLb9fI%_>9I&+NfZEY!f^@Xu9b(3xBB(<OFfd_I#sj1S&Ir$k3x!5A6D5ENtwY5~w{)i|Hk8sGq445?`WF;#B0yi3"
        "=4F<E_>#cz5`dN$j7T*IBU1QH6hoNh?(FZwh*ZEZqJ?u_B4~II0dDY*rr}XA3P!;w7zLwX6pVsVFbYP&zyaONytL6!7*1ex)RUe7"
        "0Hq*|4g"
    ),
    (
        "c-rllJx?1!5Qb;=3>*;4hjEOZCRas36&VRpg1}&;2vCxO2807=K(cUzZ3!tw3Q#^eC~1(=(bCdKO8x;Y4Hf)=ROI${_I!I1AOu1n"
        "=4nQ|vp4ITo7wYwKT8vn$*xyjAhB&ofCEu3iM==GSo@dABH15g4~3q`z?Y->9*Q4d_wjwPC|6&`(EGeiC~E`r94QsY=A@mcu}k)k"
        "FxORUtLu$A!0KkL`B{$3pS)_lRi7ib+!y_d!$^T6^eZdW1eGONWaDGYuY9?($9+vc7y4}I`%3;ciZ3h`up8!rF;V~#_z~)B%}S-}"
        "h4GQ*SG-EK-0&j%s{ZoVHkQ}C&7p$s8`Xi9u(sNCX!SFLOC7pyI!pNuGhlYyhnd+440i!IO_}}QNsfWEvbyi{FR#zD-o>?^M?K5)"
        "4*f?EKkxGQ6#s9^9E&UJlwlZ#VHk#a+-xl_FO9Y*J93%axz7bU3u6Cx@a!OP!1tYRo!!GH+X(J>;>+(s^5QB19{;0$lK?;JWdY6t"
        "yd}W30Gv+81b9qvm+rVP`V!d`;Hr`lO#vPiz|!N`x>iR`p)Hiq4h1p(%b1@OG`o-TIVb^+VITfVb8X%Q0p<q`e6YG3$UddIyD48U"
        "=zeA1GX7mQH`W_+ocHtP(0PH8HwZ@Zx0h|jni`*dhmivYV|m^v%g=i)PEuUM48t%C!!QiPFbwn5_zzjmiCO"
    ),
)
READERS = {  # what a reader does -> what is said
    "os.kill(os.getpid(), 11)": "SIGSEGV",
    "os.kill(os.getpid(), 6)": "SIGABRT",
    "os.kill(os.getpid(), 24)": "too long",
    "os._exit(7)": "exit code 7",
    "bytearray(3 << 30)": "more memory than it may",
}


@pytest.fixture
def other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A new process of the libraries, which finds modules in the folder of the test."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    apart._worker.cache_clear()
    yield tmp_path
    apart._worker.cache_clear()


def both(folder: Path, name: str = "both.feather") -> Path:
    path = folder / name
    path.write_bytes(files.feather(files.table(LOGITS, LABELS)))
    return path


@pytest.mark.parametrize("number", range(len(CRASHES)))
def test_a_file_that_ends_the_library_is_refused(tmp_path: Path, number: int) -> None:
    """The process of the command ended with SIGSEGV, and a script saw neither a verdict nor a message."""
    path = tmp_path / "crash.h5"
    path.write_bytes(zlib.decompress(base64.b85decode(CRASHES[number])))
    with pytest.raises(InputError):
        open_pair(str(path))
    assert open_pair(str(both(tmp_path)))[0].values.tolist() == LOGITS.tolist()  # and the next file is read


@pytest.mark.parametrize("deed", READERS)
def test_what_becomes_of_the_other_process_is_told(other: Path, deed: str) -> None:
    """A library that dies, or takes too much, is the file's fault, and never silence."""
    (other / "deadly.py").write_text(f"import os\ndef read(*_):\n    {deed}\n    return []\n")
    path = both(other)
    with open_source(str(path)) as source, pytest.raises(InputError, match=READERS[deed]) as caught:
        apart.read("deadly", source, Request(str(path), ("logits",)))
    assert str(path) in str(caught.value)
    assert open_pair(str(path))[1].values.tolist() == LABELS.tolist()


def test_a_bug_there_is_a_bug_here(other: Path) -> None:
    """An exception that is none of ours must not be told as damage of the file."""
    (other / "buggy.py").write_text("def read(*_):\n    raise LookupError('of ours')\n")
    path = both(other)
    with open_source(str(path)) as source, pytest.raises(RuntimeError, match="LookupError: of ours"):
        apart.read("buggy", source, Request(str(path), ("logits",)))


def test_an_error_arrives_whole(tmp_path: Path) -> None:
    """What, where, found, expected and hint: what crosses between processes may lose all but the first."""
    path = tmp_path / "words.parquet"
    path.write_bytes(files.parquet(pa.table({"a": ["x"], "b": ["y"]})))
    with pytest.raises(InputError) as caught:
        open_array(str(path))
    assert caught.value.details["at"].startswith(str(path))
    assert caught.value.details["expected"]


@pytest.mark.parametrize("rows", [2, 17_000])
def test_numbers_arrive_as_they_were(tmp_path: Path, rows: int) -> None:
    """Few come through the socket, and many in a temporary file whose descriptor is sent."""
    logits = np.random.default_rng(1).standard_normal((rows, 1000)).astype(np.float32)
    path = tmp_path / "z.h5"
    with h5py.File(path, "w") as file:
        file["logits"] = logits
    assert open_array(str(path)).values.tobytes() == logits.tobytes()


def test_threads_ask_at_once(tmp_path: Path) -> None:
    """Two requests that share a socket would get each other's numbers."""
    paths, got = [], {}
    for number in range(6):
        paths.append(tmp_path / f"{number}.h5")
        with h5py.File(paths[-1], "w") as file:
            file["logits"] = np.full((2, 3), number)
    asked = [
        threading.Thread(target=lambda path=path: got.update({path.stem: open_array(str(path)).values[0, 0]}))
        for path in paths
    ]
    for thread in asked:
        thread.start()
    for thread in asked:
        thread.join()
    assert {int(name): int(value) for name, value in got.items()} == {number: number for number in range(6)}


def test_a_process_that_was_killed_is_started_again(tmp_path: Path) -> None:
    """Somebody who ends it, or a machine without memory, must not make every later file fail."""
    path = str(both(tmp_path))
    open_pair(path)
    process = apart._worker(os.getpid())._process
    assert process is not None
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert open_pair(path)[0].values.tolist() == LOGITS.tolist()


def hdf5_bomb(path: Path) -> None:
    """A chunk that is unpacked as a whole, of which a thousandth is stored."""
    with h5py.File(path, "w") as file:
        file.create_dataset("logits", (2000, 10_000), "f8", chunks=(2000, 10_000), compression="gzip", fillvalue=0)
        file["logits"][0, 0] = 1


def arrow_bomb(path: Path) -> None:
    lists = pa.FixedSizeListArray.from_arrays(pa.array(np.zeros(20_000_000)), 10_000)
    packed = pa.ipc.IpcWriteOptions(compression="zstd")
    with (
        pa.OSFile(str(path), "wb") as sink,
        pa.ipc.new_file(sink, pa.schema({"logits": lists.type}), options=packed) as file,
    ):
        file.write(pa.record_batch({"logits": lists}))


@pytest.mark.parametrize("make", [hdf5_bomb, arrow_bomb])
def test_a_library_takes_no_more_memory_than_it_may(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make) -> None:
    """A file of some KB asked for as many GB; who trusts it raises the limit that the message names."""
    path = tmp_path / "bomb"
    make(path)
    monkeypatch.setenv("XENT_READER_BYTES", str(32 << 20))
    with pytest.raises(InputError, match="more memory than it may"):
        open_array(str(path))
    monkeypatch.setenv("XENT_READER_BYTES", str(2 << 30))
    assert open_array(str(path)).shape == (2000, 10_000)


def test_a_limit_that_is_no_number_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`512M` would otherwise be no limit, or the usual one, in silence."""
    monkeypatch.setenv("XENT_READER_BYTES", "512M")
    with pytest.raises(UsageError, match="XENT_READER_BYTES"):
        open_pair(str(both(tmp_path)))


def test_a_name_that_is_no_text_is_read(tmp_path: Path) -> None:
    """h5py gives such a name as bytes, which no message could be made of."""
    path, file = tmp_path / "name.h5", io.BytesIO()
    with h5py.File(file, "w") as held:
        held[b"\xff\xfe"] = np.zeros((2, 3))
        held["other"] = np.zeros((2, 3))
    path.write_bytes(file.getvalue())
    with pytest.raises(UsageError, match="which array holds the logits"):
        open_array(str(path))
