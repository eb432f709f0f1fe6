"""The program that answers for a Python callable of another loss: `python -m ... MODULE:NAME KIND`."""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xentcli.conform.asking.finding import located
from xentcli.conform.asking.responder import own_output
from xentcli.conform.cases.files import read_array, write_array
from xentcli.conform.kinds.asking import InProcess
from xentcli.conform.kinds.call import Call
from xentcli.conform.kinds.registry import KINDS
from xentcli.errors import XentError

if TYPE_CHECKING:
    from xentcli.conform.kinds.call import Kind


def main() -> None:
    """Answer until the input ends."""
    path, name = sys.argv[1:]
    answers = own_output()
    sys.path.insert(0, str(Path.cwd()))  # only now, as a json.py of the current folder is not the real one
    warnings.simplefilter("ignore")  # what a framework warns of is no part of an answer
    try:
        implementation: InProcess | XentError = InProcess(path, located(path, KINDS[name].function))
    except XentError as error:
        implementation = error
    for line in sys.stdin:
        request = json.loads(line)
        if isinstance(implementation, XentError):
            answer: dict[str, Any] = {"missing": implementation.parts}
        else:
            answer = respond(implementation, KINDS[name], request)
        answers.write(json.dumps({"id": request["id"], **answer}) + "\n")
        answers.flush()


def respond(implementation: InProcess, kind: Kind, request: dict[str, Any]) -> dict[str, Any]:
    """The answer to one request."""
    call = Call(
        name="",
        about="",
        arrays={name: read_array(Path(path)) for name, path in request["arrays"].items()},
        options=request["options"],
        gradients=tuple(request["gradients"]),
        upstream=read_array(Path(request["upstream"])) if request["upstream"] else None,
    )
    answer = implementation.ask(kind, call)
    if answer.kind != "value":
        return {answer.kind: answer.said}
    for name, values in answer.results.items():
        write_array(Path(request["results"][name]), values)
    return {"results": {name: request["results"][name] for name in answer.results}, "changed": list(answer.changed)}


if __name__ == "__main__":
    main()
