"""The sample responder until a question comes whose fingerprint it was given; then whatever it was told to do."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

SAMPLE = Path(__file__).parents[2] / "samples" / "responders" / "responder.py"
spec = importlib.util.spec_from_file_location("responder", SAMPLE)
responder = importlib.util.module_from_spec(spec)
spec.loader.exec_module(responder)


ALLOCATE = "import time; kept = bytearray(3 << 30); kept[:: 4096] = bytes(len(kept[:: 4096])); time.sleep(60)"


def fingerprint(request: dict, logits: np.ndarray, target: np.ndarray) -> str:
    """A question by what is asked, as it has no name that could be looked up."""
    told = repr([request[name] for name in ("dtype", "reduction", "ignore_index", "label_smoothing", "want")]).encode()
    return hashlib.sha256(told + logits.tobytes() + target.tobytes()).hexdigest()


def header(text: str) -> bytes:
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


def npz(loss: Path) -> None:
    with loss.open("wb") as file:
        np.savez(file, loss=np.float32(0))


# Answers that are no file of plain numbers in the folder of the call.
ODD = {
    "fifo": os.mkfifo,
    "folder": Path.mkdir,
    "link-to-itself": lambda loss: loss.symlink_to(loss),
    "device": lambda loss: loss.symlink_to("/dev/zero"),
    "npz": npz,
    "pickle": lambda loss: np.save(loss, np.array([{}], object), allow_pickle=True),
    "header": lambda loss: loss.write_bytes(header("(" * 10)),
    "huge-header": lambda loss: loss.write_bytes(
        header("{'descr': '<f8', 'fortran_order': False, 'shape': (1 << 40,)}")
    ),
    "cut-off": lambda loss: loss.write_bytes(header("{'descr': '<f8', 'fortran_order': False, 'shape': (99,)}")),
    "sparse": lambda loss: np.lib.format.open_memmap(loss, "w+", np.float64, (1 << 28,)).flush(),
}


def crash() -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def leak() -> None:
    kept = [np.ones(1 << 24) for _ in range(40)]
    time.sleep(60 + 0 * len(kept))


def flood() -> None:
    for _ in range(1 << 21):
        print("x" * 1023)


def grandchild() -> None:
    subprocess.Popen([sys.executable, "-c", ALLOCATE], start_new_session=True)
    time.sleep(60)


# What is done in place of an answer.
DEEDS = {
    "crash": crash,
    "exit": lambda: os._exit(7),
    "hang": lambda: time.sleep(60),
    "leak": leak,
    "flood": flood,
    "grandchild": grandchild,
    "garbage": lambda: print("Segmentation fault (not really)", flush=True),
    "list": lambda: print("[1, 2]", flush=True),
    "deep": lambda: print("[" * 60_000, flush=True),
}


def misbehave(mode: str, request: dict) -> dict | None:
    if mode in DEEDS:
        return DEEDS[mode]()
    if mode in ODD:
        ODD[mode](Path(request["loss"]))
    if mode in {"wrong-shape", "wrong-dtype"}:
        shape = (2, 2) if mode == "wrong-shape" else ()
        np.save(request["loss"], np.zeros(shape, np.int64 if mode == "wrong-dtype" else np.float32))
    answers = {
        "wrong-id": {"id": -1, "loss": request["loss"]},
        "no-loss": {},
        "no-file": {"loss": "nowhere.npy"},
        "outside": {"loss": __file__},
        "complaint": {"error": "RuntimeError: not today"},
    }
    return answers.get(mode, {"loss": request["loss"]})


if __name__ == "__main__":
    mode, trigger = sys.argv[1:]
    np.seterr(all="ignore")
    for line in sys.stdin:
        question = json.loads(line)
        asked = fingerprint(question, np.load(question["logits"]), np.load(question["target"]))
        said = misbehave(mode, question) if asked == trigger else responder.answer(question)
        if said is not None:
            print(json.dumps({"id": question["id"], **said}), flush=True)
