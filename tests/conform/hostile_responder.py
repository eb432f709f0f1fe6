"""The sample responder until a case comes whose name it was given; then whatever it was told to do."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import sys
import time
from pathlib import Path

import numpy as np

SAMPLE = Path(__file__).parents[2] / "samples" / "responders" / "responder.py"
spec = importlib.util.spec_from_file_location("responder", SAMPLE)
responder = importlib.util.module_from_spec(spec)
spec.loader.exec_module(responder)


def misbehave(mode: str, request: dict) -> dict | None:
    if mode == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if mode == "exit":
        os._exit(7)
    if mode == "hang":
        time.sleep(60)
    if mode == "leak":
        kept = [np.ones(1 << 24) for _ in range(40)]
        time.sleep(60)
        return {"error": str(len(kept))}
    if mode == "garbage":
        print("Segmentation fault (not really)", flush=True)
        return None
    if mode == "list":
        print("[1, 2]", flush=True)
        return None
    answers = {
        "wrong-id": {"id": -1, "loss": request["loss"]},
        "no-loss": {},
        "no-file": {"loss": "nowhere.npy"},
        "complaint": {"error": "RuntimeError: not today"},
    }
    if mode in answers:
        return answers[mode]
    shape = {"wrong-shape": (2, 2), "wrong-dtype": ()}[mode]
    np.save(request["loss"], np.zeros(shape, np.int64 if mode == "wrong-dtype" else np.float32))
    return {"loss": request["loss"]}


if __name__ == "__main__":
    mode, trigger = sys.argv[1:]
    np.seterr(all="ignore")
    for line in sys.stdin:
        question = json.loads(line)
        said = misbehave(mode, question) if question["case"] == trigger else responder.answer(question)
        if said is not None:
            print(json.dumps({"id": question["id"], **said}), flush=True)
