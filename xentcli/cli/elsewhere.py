"""Who else computes: local processes, or the workers of a cluster."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from click.core import ParameterSource

from xentcli.errors import InputError, UsageError
from xentcli.sources.extras import install
from xentcli.sources.files import check_file

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    import click

    from xentcli.cli.inputs import Inputs
    from xentcli.cli.request import Request
    from xentcli.question.problem import Problem
    from xentcli.running.inputs import Inputs as AnyInputs
    from xentcli.running.opening import Elsewhere
    from xentcli.running.pipeline import Crew

    Start = Callable[[], AbstractContextManager[Crew]]


@dataclass(frozen=True)
class Workers:
    """The values of WORKER_OPTIONS, checked before anything heavy is imported."""

    jobs: int | None
    address: str | None  # of the cluster's scheduler
    jobs_timeout: float  # seconds
    cluster_timeout: float

    @classmethod
    def of(cls, context: click.Context, given: dict[str, Any]) -> Workers:
        """Take the values of WORKER_OPTIONS out of those given; UsageError for both kinds of workers at once."""
        jobs, cluster = (given.pop(name) for name in ("jobs", "cluster"))
        timeouts = (given.pop(name) for name in ("jobs_timeout", "cluster_timeout"))
        typed = [name for name in ("jobs", "cluster") if _is_typed(context, name)]
        if len(typed) == 1:  # what is typed wins over a setting
            jobs, cluster = (jobs, None) if typed == ["jobs"] else (None, cluster)
        if jobs is not None and cluster is not None:
            raise UsageError("either local processes or a cluster computes", found="--jobs and --cluster")
        return cls(jobs, None if cluster is None else _address(cluster), *timeouts)

    def elsewhere(self, inputs: Inputs, request: Request) -> Elsewhere | None:
        """Them, and how they open these files; None where this process computes.

        Errors: UsageError for an input that only this process can read.
        """
        if not self.wanted:
            return None
        return self.opening(
            partial(_problem, inputs.for_others(), request.weight_elsewhere(), request.loss_elsewhere())
        )

    @property
    def wanted(self) -> bool:
        return self.jobs is not None or self.address is not None

    def opening(self, make: Callable[[], AnyInputs]) -> Elsewhere:
        """Them, where they are wanted, and what each of them opens the inputs with."""
        start = self._cluster() if self.jobs is None else self._processes(self.jobs)
        from xentcli.running.opening import Elsewhere

        return Elsewhere(start, make)

    def _cluster(self) -> Start:
        try:
            from xentcli.running.cluster import cluster_crew
        except ModuleNotFoundError as error:
            raise UsageError("--cluster needs dask.distributed", hint=install("distributed")) from error
        return partial(cluster_crew, str(self.address), self.cluster_timeout)

    def _processes(self, jobs: int) -> Start:
        from xentcli.running.processes import process_crew

        return partial(process_crew, jobs, self.jobs_timeout)


def _problem(inputs: Inputs, weight: str | None, loss: dict[str, Any]) -> Problem:
    """The problem, as a worker makes it."""
    from xentcli.cli.request import problem_of

    return problem_of(inputs.read(), weight, loss)


def _is_typed(context: click.Context, name: str) -> bool:
    return context.get_parameter_source(name) == ParameterSource.COMMANDLINE


def _address(cluster: str) -> str:
    """The scheduler's address, which may stand in a file that the scheduler wrote."""
    if "://" in cluster:
        return cluster
    check_file(cluster)
    try:
        return str(json.loads(Path(cluster).read_bytes())["address"])
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            "this is no scheduler file", at=cluster, expected="what `dask scheduler --scheduler-file` writes"
        ) from error
