"""The workers of a dask cluster, as real processes: the same bytes, whoever dies, and one clear error otherwise."""

from __future__ import annotations

import shutil
import signal
import sys
from functools import partial
from typing import TYPE_CHECKING
from unittest.mock import patch

import numpy as np
import pytest
from distributed import Client, LocalCluster
from elsewhere import POLICY, Dask, Once, bytes_of, dask, kill, make_files, problem_here, problem_of, until
from process import AGREES, is_one_error, xent_here

from xentcli.errors import InputError, WorkersError
from xentcli.running.cluster import Cluster, cluster_crew
from xentcli.running.engine import run
from xentcli.running.opening import Elsewhere

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    return make_files(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dask]:
    with dask(tmp_path_factory.mktemp("dask"), workers=2) as cluster:
        yield cluster


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """So many batches that there is a middle."""
    monkeypatch.setattr("xentcli.running.engine.BATCH_BYTES", 4 << 20)


def elsewhere(cluster: Dask, files: tuple[str, str], timeout: float = 30.0) -> Elsewhere:
    return Elsewhere(partial(cluster_crew, cluster.address, timeout), partial(problem_of, *files))


def waited_for(cluster: Dask, files: tuple[str, str]) -> Elsewhere:
    """The same once a worker is there, with little patience for what happens then."""
    with cluster_crew(cluster.address, 60.0):
        return elsewhere(cluster, files, timeout=12.0)


def test_the_command_gives_the_same_bytes(cluster: Dask, files: tuple[str, str], tmp_path: Path) -> None:
    """Whoever has a cluster must not get another number; paths that the client's folder makes short are found, too."""
    named = [f"../{name}" for name in ("logits.npy", "labels.npy")]
    for short, path in zip(named, files, strict=True):
        (tmp_path / short).symlink_to(path)
    here = xent_here("compute", *named, "--json", cwd=tmp_path)
    there = xent_here("compute", *named, "--json", "--cluster", str(cluster.file), cwd=tmp_path)
    assert here.code == there.code == 0
    assert (here.out, here.err) == (there.out, there.err)


def test_the_causes_of_a_false_claim_are_found_there(
    cluster: Dask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They take one more pass over the data, which the client must not read."""
    paths = [str(tmp_path / name) for name in ("logits.npy", "labels.npy")]
    np.save(paths[0], np.log(np.arange(1.0, 61.0).reshape(20, 3)))
    np.save(paths[1], np.arange(20) % 3)
    monkeypatch.setattr("xentcli.question.problem.WHOLE_BYTES", 0)
    here, there = (
        xent_here("compute", *paths, "--json", "--expect", "22.631", *where, cwd=tmp_path)
        for where in ((), ("--cluster", cluster.address))
    )
    assert '"causes": [\n' in here.out
    assert (here.code, here.out, here.err) == (there.code, there.out, there.err)


def test_an_input_that_is_missing_there(cluster: Dask, files: tuple[str, str]) -> None:
    """A shard on the disk of one machine: the message names the file and the worker that does not find it."""
    with pytest.raises(InputError, match="no such file") as caught:
        run(problem_of(*files), POLICY, elsewhere=elsewhere(cluster, ("/nothing/logits.npy", files[1])))
    assert "/nothing/logits.npy, worker on " in str(caught.value)


def test_one_worker_with_another_file_is_refused(files: tuple[str, str], tmp_path: Path) -> None:
    """Same name, shape and type, another number in each block: with two workers, the mean would be of neither file."""
    for path in files:
        shutil.copy(path, tmp_path)
    logits = np.lib.format.open_memmap(tmp_path / "logits.npy", "r+")
    logits[4::10, 3] = 1.5
    logits.flush()
    with dask(tmp_path, workers=1) as cluster:
        cluster.hire(DISK=str(tmp_path))
        with cluster_crew(cluster.address, 60.0) as crew:
            until(lambda: crew.workers() == 2)
        there = Elsewhere(partial(cluster_crew, cluster.address, 30.0), partial(problem_here, *files))
        with pytest.raises(InputError, match="a worker read other numbers than are here") as caught:
            run(problem_of(*files), POLICY, elsewhere=there)
        assert f"{files[0]}, worker on " in str(caught.value)
        (tmp_path / "logits.npy").unlink()
        shutil.copy(files[0], tmp_path)
        assert bytes_of(run(problem_of(*files), POLICY, elsewhere=there)) == bytes_of(run(problem_of(*files), POLICY))


def test_a_worker_that_is_killed_costs_a_retry(cluster: Dask, files: tuple[str, str]) -> None:
    """Machines of a cluster are taken away at any time: nothing is lost, and nothing is counted twice."""
    progress = Once(lambda: kill(cluster.workers[0]))
    survived = run(problem_of(*files), POLICY, elsewhere=elsewhere(cluster, files), progress=progress)
    assert progress.calls > 10
    assert bytes_of(survived) == bytes_of(run(problem_of(*files), POLICY, threads=1))


def test_a_scheduler_that_goes_in_the_middle(files: tuple[str, str], tmp_path: Path) -> None:
    """A run that waits for ever holds its job's machine for ever."""
    with dask(tmp_path, workers=1) as cluster:
        crew = waited_for(cluster, files)
        with pytest.raises(WorkersError, match="scheduler is gone"):
            run(problem_of(*files), POLICY, elsewhere=crew, progress=Once(lambda: kill(cluster.scheduler)))


def test_a_client_that_gave_its_scheduler_up() -> None:
    """It has no scheduler any more, between two looks at its workers: that is no bug of ours."""
    with LocalCluster(n_workers=1, processes=False, dashboard_address=None) as local:
        client = Client(local)
        crew = Cluster(client, local.scheduler_address, 0.5)
        client.close()
        with patch("xentcli.running.cluster.LOOK_SECONDS", 0.0), pytest.raises(WorkersError, match="scheduler is gone"):
            crew.workers()


def test_the_last_worker_goes_in_the_middle(files: tuple[str, str], tmp_path: Path) -> None:
    """The same where only the scheduler is left, and before that, where nobody has come yet."""
    with dask(tmp_path, workers=0) as cluster:
        arguments = ("compute", *files, "--cluster", cluster.address, "--cluster-timeout", "0.2")
        ended = xent_here(*arguments, cwd=tmp_path)
        assert is_one_error(ended)
        assert "the cluster has no workers" in ended.err
        cluster.hire()
        crew = waited_for(cluster, files)
        with pytest.raises(WorkersError, match="no workers"), patch("xentcli.running.cluster.LOOK_SECONDS", 0.1):
            run(problem_of(*files), POLICY, elsewhere=crew, progress=Once(lambda: kill(cluster.workers[0])))


def test_a_scheduler_that_stands_still(files: tuple[str, str], tmp_path: Path) -> None:
    """It takes the call and says nothing: at the beginning, and in the middle."""
    with dask(tmp_path, workers=1) as cluster:
        address, crew = cluster.address, waited_for(cluster, files)
        with pytest.raises(WorkersError, match="scheduler is gone"):
            run(problem_of(*files), POLICY, elsewhere=crew, progress=Once(cluster.stop_scheduler))
        ended = xent_here("compute", *files, "--cluster", address, "--cluster-timeout", "1", cwd=tmp_path)
        assert is_one_error(ended)
        assert "does not answer" in ended.err


def test_an_only_worker_that_stands_still(files: tuple[str, str], tmp_path: Path) -> None:
    """The scheduler counts it for minutes: nobody computes, and nobody says so."""
    with dask(tmp_path, workers=1) as cluster:
        crew = waited_for(cluster, files)
        stop = Once(lambda: cluster.workers[0].send_signal(signal.SIGSTOP))
        with pytest.raises(WorkersError, match="no workers"):
            run(problem_of(*files), POLICY, elsewhere=crew, progress=stop)


@pytest.mark.parametrize(
    "address", ["ucx://127.0.0.1:1", "nothing://127.0.0.1:1", "tcp://", "tcp://127.0.0.1:x", "inproc://a"]
)
def test_an_address_that_dask_cannot_reach(address: str, files: tuple[str, str], tmp_path: Path) -> None:
    """Each kind of address fails in its own way, none of which is a bug of ours."""
    ended = xent_here("compute", *files, "--cluster", address, "--cluster-timeout", "2", cwd=tmp_path)
    assert is_one_error(ended), ended


def test_other_versions_are_refused_with_a_table(files: tuple[str, str], tmp_path: Path) -> None:
    """Another version may give other bytes; whose it is stands beside it."""
    old = tmp_path / "xentcli-0.0.9.dist-info"
    old.mkdir()
    (old / "METADATA").write_text("Metadata-Version: 2.1\nName: xentcli\nVersion: 0.0.9\n")
    with dask(tmp_path, workers=0) as cluster:
        cluster.hire(str(tmp_path))
        ended = xent_here("compute", *files, "--cluster", cluster.address, cwd=tmp_path)
    lines = ended.err.splitlines()
    assert ended.code == 2
    assert lines[0] == "error: 1 of 1 workers have other versions"
    assert lines[2].split() == ["found", "worker", "xentcli", "torch", "numpy"]
    theirs, ours = lines[3].split(), lines[4].split()
    assert theirs[0].startswith("tcp://127.0.0.1:")
    assert theirs[1] == "0.0.9"
    assert ours[:2] == ["expected", "here"]
    assert ours[2] != "0.0.9"
    assert theirs[2:] == ours[3:]


def test_nobody_at_the_address(files: tuple[str, str], tmp_path: Path) -> None:
    """A cluster that was taken down yesterday."""
    ended = xent_here("compute", *files, "--cluster", "tcp://127.0.0.1:1", "--cluster-timeout", "0.2", cwd=tmp_path)
    assert is_one_error(ended)
    assert "the cluster's scheduler does not answer" in ended.err


@pytest.mark.parametrize(
    ("cluster", "message"),
    [
        ("pigeon://home", "this is no address of a scheduler"),
        ("missing.json", "no such file"),
        ("list.json", "this is no scheduler file"),
        ("text.json", "this is no scheduler file"),
    ],
)
def test_what_is_no_cluster(cluster: str, message: str, files: tuple[str, str], tmp_path: Path) -> None:
    """A slip in the address is told as one."""
    (tmp_path / "list.json").write_text("[]")
    (tmp_path / "text.json").write_text("tcp://")
    ended = xent_here("compute", *files, "--cluster", cluster, cwd=tmp_path)
    assert is_one_error(ended)
    assert message in ended.err


def test_the_missing_extra_is_one_sentence(tmp_path: Path) -> None:
    """Who has no dask learns what to install, before anything is read."""
    with patch.dict(sys.modules, {"distributed": None}):
        sys.modules.pop("xentcli.running.cluster")
        ended = xent_here("compute", *AGREES, "--cluster", "tcp://127.0.0.1:1", cwd=tmp_path)
    assert is_one_error(ended)
    assert ended.err.startswith("error: --cluster needs dask.distributed\n")
    assert "pip install distributed" in ended.err
