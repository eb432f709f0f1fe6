"""The program that answers for a Python callable, by the protocol: `python -m ... MODULE:NAME KIND SETTING`."""

from __future__ import annotations

import json
import os
import sys
import warnings
from dataclasses import replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import torch

from xentcli.conform.asking.calls import CALLS
from xentcli.conform.asking.compiling import compiled
from xentcli.conform.asking.finding import Callee, UnsupportedError, find
from xentcli.conform.cases.case import Inputs
from xentcli.conform.cases.files import read_array, write_array
from xentcli.errors import XentError

if TYPE_CHECKING:
    from xentcli.conform.cases.case import Variable

OPTIONS = ("ignore_index", "reduction", "label_smoothing")


def main() -> None:
    """Answer until the input ends."""
    path, kind, setting = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
    answers = own_output()
    # Only now, and Python is started by -P: a json.py of the current folder must not take the place of the real one.
    sys.path.insert(0, str(Path.cwd()))
    warnings.simplefilter("ignore")  # what a framework warns of is no part of an answer
    try:
        callee: Callee | XentError = replace(find(path, setting["given"]), device=setting["device"])
    except XentError as error:
        callee = error
    if setting["compiled"] and isinstance(callee, Callee):
        callee = compiled(callee)
    for line in sys.stdin:
        request = json.loads(line)
        answer = {"missing": callee.parts} if isinstance(callee, XentError) else respond(callee, kind, request)
        answers.write(json.dumps({"id": request["id"], **answer, **_of_itself(callee)}) + "\n")
        answers.flush()


def _of_itself(callee: Callee | XentError) -> dict[str, Any]:
    """What is declared, and the options that the signature knows: the first answer is read for it."""
    return {} if isinstance(callee, XentError) else {"conform": callee.declared.plain(), "takes": callee.takes}


def respond(callee: Callee, kind: str, request: dict[str, Any]) -> dict[str, Any]:
    """The answer to one request."""
    arrays = {name: read_array(Path(request[name])) for name in ("logits", "target", "weight", "upstream")
              if request.get(name)}  # fmt: skip
    inputs = Inputs(**arrays, variable=_variable(request["want"]))
    options = {name: request[name] for name in OPTIONS}
    try:
        (loss, slope), changed = CALLS[kind](callee, inputs, request["layout"], options, request["backward"])
    except (NotImplementedError, UnsupportedError) as error:
        return {"unsupported": str(error) or "NotImplementedError"}
    except Exception as error:  # whatever the implementation raises is its answer
        said = f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else ''}"
        return {"error": said, "spent": is_spent(callee.device)}
    write_array(Path(request["loss"]), loss)
    answer: dict[str, Any] = {"loss": request["loss"], "changed": changed}
    if slope is not None:
        write_array(Path(request["gradient"]), slope)
        answer[inputs.slope_name] = request["gradient"]
    return answer


def is_spent(device: str) -> bool:
    """Whether nothing can be computed on a device any more, as after a failed assertion in one of its kernels."""
    try:
        torch.zeros(1, device=device).cpu()
    except RuntimeError:
        return True
    return False


def _variable(wanted: list[str]) -> Variable:
    """What the gradient that is wanted is with respect to."""
    return "target" if "target_gradient" in wanted else "weight" if "weight_gradient" in wanted else "logits"


def own_output() -> IO[str]:
    """Standard output for the answers alone: what the implementation prints goes where errors go."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return answers


if __name__ == "__main__":
    main()
