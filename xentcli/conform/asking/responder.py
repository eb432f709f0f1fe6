"""The program that answers for a Python callable, by the protocol of README.md: `python -m ... MODULE:NAME KIND`."""

from __future__ import annotations

import json
import os
import sys
import warnings
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from xentcli.conform.asking.calls import CALLS, Function, UnsupportedError, find
from xentcli.conform.cases.case import Inputs
from xentcli.conform.cases.files import read_array, write_array
from xentcli.errors import XentError

if TYPE_CHECKING:
    from xentcli.conform.cases.case import Variable

OPTIONS = ("ignore_index", "reduction", "label_smoothing")


def main() -> None:
    """Answer until the input ends."""
    path, kind = sys.argv[1:]
    answers = own_output()
    # Only now, and Python is started by -P: a json.py of the current folder must not take the place of the real one.
    sys.path.insert(0, str(Path.cwd()))
    warnings.simplefilter("ignore")  # what a framework warns of is no part of an answer
    try:
        function: Function | XentError = find(path)
    except XentError as error:
        function = error
    for line in sys.stdin:
        request = json.loads(line)
        answer = {"missing": str(function)} if isinstance(function, XentError) else respond(function, kind, request)
        answers.write(json.dumps({"id": request["id"], **answer}) + "\n")
        answers.flush()


def respond(function: Function, kind: str, request: dict[str, Any]) -> dict[str, Any]:
    """The answer to one request."""
    arrays = {name: read_array(Path(request[name])) for name in ("logits", "target", "weight", "upstream")
              if request.get(name)}  # fmt: skip
    inputs = Inputs(**arrays, variable=_variable(request["want"]))
    options = {name: request[name] for name in OPTIONS}
    try:
        (loss, slope), changed = CALLS[kind](function, inputs, request["layout"], options, request["backward"])
    except (NotImplementedError, UnsupportedError) as error:
        return {"unsupported": str(error) or "NotImplementedError"}
    except Exception as error:  # whatever the implementation raises is its answer
        return {"error": f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else ''}"}
    write_array(Path(request["loss"]), loss)
    answer: dict[str, Any] = {"loss": request["loss"], "changed": changed}
    if slope is not None:
        write_array(Path(request["gradient"]), slope)
        answer[inputs.slope_name] = request["gradient"]
    return answer


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
