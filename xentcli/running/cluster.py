"""The workers of a dask cluster that somebody else runs: they are asked to compute, and nothing else."""

from __future__ import annotations

import logging
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from functools import partial
from time import monotonic, sleep
from typing import TYPE_CHECKING, NoReturn, TypeVar

import dask
from distributed import Client, KilledWorker

from xentcli.errors import UsageError, WorkersError
from xentcli.sources.waiting import within

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Result = TypeVar("Result")

LOOK_SECONDS = 1.0  # between two looks at who is there
CLOSE_SECONDS = 2.0  # for a word of farewell to the scheduler
SILENT_SECONDS = 5.0  # that pass between two signs of life of a worker in a large cluster
PACKAGES = ["xentcli", "torch", "numpy"]  # the bytes of a report depend on these
LISTED = 10  # workers that a message names


class Cluster:
    """The workers that a scheduler has, which may come and go; dask itself gives out again what a dead one had."""

    def __init__(self, client: Client, address: str, timeout: float) -> None:
        """`timeout` is how many seconds the cluster may be without its scheduler or without workers."""
        self._client, self._address, self._timeout = client, address, timeout
        self._executor = client.get_executor(pure=False)
        self._count = 0
        self._beats: dict[str, tuple[float, float]] = {}  # of each worker: what the scheduler says, and since when
        self._looked = self._staffed = monotonic()
        self._look()

    def submit(self, call: Callable[[], Result]) -> Future[Result]:
        if self._client.status == "running":
            future: Future[Result] = self._executor.submit(call)
            return future
        lost: Future[Result] = Future()  # as all that was under way when the scheduler went
        lost.cancel()
        return lost

    def result(self, future: Future[Result]) -> Result:
        while True:
            try:
                return future.result(LOOK_SECONDS)
            except KilledWorker as error:
                raise WorkersError(
                    "each worker that computed the same samples died",
                    at=f"the cluster {self._address}",
                    found=str(error.last_worker.address),
                    hint="out of memory? see the worker's log, or compute smaller blocks",
                ) from error
            except TimeoutError:
                if future.done():  # meanwhile, or the error is the call's own
                    return future.result()
                self._refuse_endless_wait()

    def workers(self) -> int:
        """The threads of all workers, as they were a moment ago."""
        if monotonic() - self._looked > LOOK_SECONDS:
            self._look()
        return max(1, self._count)

    def mend(self) -> None:
        """Wait until the scheduler is there again, which dask tries by itself."""
        deadline = monotonic() + self._timeout
        while self._client.status != "running":
            if self._client.status == "closed" or monotonic() > deadline:
                self._scheduler_is_gone()
            sleep(LOOK_SECONDS / 10)

    def _look(self) -> None:
        scheduler = self._client.scheduler
        if scheduler is None:  # the client has given it up
            self._scheduler_is_gone()
        try:
            found = self._client.sync(scheduler.identity, callback_timeout=self._timeout)["workers"]
        except TimeoutError:
            self._scheduler_is_gone()
        except OSError:  # what is under way is cancelled, which `mend` deals with
            return
        self._looked = monotonic()
        self._beats = {name: self._beat(name, worker["last_seen"]) for name, worker in found.items()}
        live = [name for name, (_, since) in self._beats.items() if self._looked - since <= self._patience]
        self._count = sum(found[name]["nthreads"] for name in live)
        self._staffed = max((since for _, since in self._beats.values()), default=self._staffed)

    def _beat(self, worker: str, seen: float) -> tuple[float, float]:
        """When the scheduler last heard of the worker, by its clock, and since when it says so, by ours."""
        before = self._beats.get(worker)
        return before if before and before[0] == seen else (seen, self._looked)

    @property
    def _patience(self) -> float:
        """How many seconds a worker may be silent that the scheduler still counts, as it counts a stopped one."""
        return max(self._timeout, SILENT_SECONDS)

    def _refuse_endless_wait(self) -> None:
        """WorkersError when nobody has been there to compute for too long."""
        self.workers()
        if not self._count and monotonic() - self._staffed > self._timeout:
            raise _no_workers(self._address, self._timeout)

    def _scheduler_is_gone(self) -> NoReturn:
        raise WorkersError(
            "the cluster's scheduler is gone",
            at=self._address,
            found=f"no answer in {self._timeout:g} seconds",
            hint="what was computed is lost: run again when it is there",
        )


@contextmanager
def cluster_crew(address: str, timeout: float) -> Iterator[Cluster]:
    """The workers of the scheduler at this address, which must have our versions; `timeout` in seconds.

    Errors: UsageError for what is no address; WorkersError for a scheduler that does not answer, for no worker in
    time, and for other versions on a worker.
    """
    patience = {"distributed.comm.timeouts.connect": timeout}
    with _quiet(), dask.config.set(patience):
        client = _client(address, timeout)
        try:
            _wait_for_workers(client, address, timeout)
            _compare_versions(client, address, timeout)
            yield Cluster(client, address, timeout)
        finally:
            with suppress(TimeoutError):
                within(CLOSE_SECONDS, client.close)


def _client(address: str, timeout: float) -> Client:
    """Our end of the line to the scheduler; a stopped one takes the call and says nothing, for ever."""
    try:
        return within(timeout, partial(Client, address, timeout=timeout, set_as_default=False))
    except OSError as error:
        raise WorkersError(
            "the cluster's scheduler does not answer", at=address, found=f"nothing in {timeout:g} seconds"
        ) from error
    except Exception as error:  # each kind of address has errors of its own
        raise UsageError(
            "this is no address of a scheduler, or not one that dask can reach from here",
            found=address,
            expected="tcp://HOST:PORT",
        ) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Without dask's own log on standard error: what it says of trouble is in our errors."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)


def _wait_for_workers(client: Client, address: str, timeout: float) -> None:
    try:
        client.wait_for_workers(1, timeout)
    except TimeoutError as error:
        raise _no_workers(address, timeout) from error


def _no_workers(address: str, timeout: float) -> WorkersError:
    return WorkersError(
        "the cluster has no workers",
        at=address,
        found=f"none in {timeout:g} seconds",
        hint="start some, or wait for them longer: --cluster-timeout",
    )


def _compare_versions(client: Client, address: str, timeout: float) -> None:
    """WorkersError with a table of the workers whose packages are not ours; the scheduler needs none of them."""
    try:
        found = within(timeout, partial(client.get_versions, packages=PACKAGES))
    except TimeoutError as error:
        raise WorkersError(
            "a worker of the cluster does not answer",
            at=address,
            found=f"no versions of its packages in {timeout:g} seconds",
            hint="end the worker that hangs, or wait for it longer: --cluster-timeout",
        ) from error
    ours = _versions(found["client"])
    others = {worker: _versions(info) for worker, info in found["workers"].items()}
    different = [[worker, *theirs] for worker, theirs in others.items() if theirs != ours]
    if different:
        title, *listed, here = _aligned([["worker", *PACKAGES], *different[:LISTED], ["here", *ours]])
        raise WorkersError(
            f"{len(different)} of {len(others)} workers have other versions",
            at=address,
            found=f"\n{' ' * 12}".join([title, *listed]),
            expected=here,
            hint="install the same everywhere, as other versions may give other bytes",
        )


def _versions(info: dict[str, dict[str, str | None]]) -> list[str]:
    return [info["packages"].get(name) or "none" for name in PACKAGES]


def _aligned(rows: list[list[str]]) -> list[str]:
    """The rows of a table as lines."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
