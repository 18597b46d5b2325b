"""The Ray engine on this machine's cores: the bytes of a local run, also when a worker is killed on the way."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from helpers import digests, make
from ray.cluster_utils import Cluster

from storygen import stages
from storygen.ledger import Ledger

N = 600


def storygen(*arguments: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "RAY_USAGE_STATS_ENABLED": "0"}
    return subprocess.Popen(
        [sys.executable, "-m", "storygen", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
    )


def start(folder: Path, *more: str) -> subprocess.Popen[str]:
    return storygen("make", "--n", str(N), "--out", str(folder), "--engine", "ray", *more)


def workers(pid: int) -> list[psutil.Process]:
    """Ray's processes that run our batches; Ray names them after the function."""
    found = []
    for process in psutil.Process(pid).children(recursive=True):
        try:
            if process.name().startswith("ray::_call") or "ray::_call" in " ".join(process.cmdline()):
                found.append(process)
        except psutil.NoSuchProcess:
            continue
    return found


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """A cluster of one core, to which nodes can be added."""
    head = {"num_cpus": 1, "include_dashboard": False, "object_store_memory": 100 << 20}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    yield cluster
    cluster.shutdown()


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("local") / "run"
    make(folder, n=N)
    return digests(folder)


def test_ray_gives_the_bytes_of_a_local_run(local: dict[str, str], tmp_path: Path) -> None:
    process = start(tmp_path / "run", "--workers", "2")
    said, _ = process.communicate(timeout=300)
    assert process.returncode == 0, said
    assert digests(tmp_path / "run") == local


def test_a_worker_killed_on_the_way_changes_nothing(local: dict[str, str], tmp_path: Path) -> None:
    process = start(tmp_path / "run", "--workers", "2")
    killed = 0
    while process.poll() is None and not killed:
        for worker in workers(process.pid)[:1]:
            worker.kill()
            killed += 1
        time.sleep(0.05)
    said, _ = process.communicate(timeout=300)
    assert killed, "the run was over before a worker was seen"
    assert process.returncode == 0, said
    assert digests(tmp_path / "run") == local


def test_shards_made_and_merged_on_a_cluster_have_the_bytes_of_a_local_run(
    local: dict[str, str], cluster: Cluster, tmp_path: Path
) -> None:
    on = ["--engine", "ray", "--ray-address", cluster.address]
    folders = [str(tmp_path / f"{k}") for k in range(4)]
    made = [storygen("make", "--n", str(N), "--shard", f"{k}/4", "--out", folders[k], *on) for k in range(4)]
    for process in made:
        said, _ = process.communicate(timeout=300)
        assert process.returncode == 0, said
    merged = storygen("merge", *folders, "--out", str(tmp_path / "run"), *on)
    said, _ = merged.communicate(timeout=300)
    assert merged.returncode == 0, said
    assert digests(tmp_path / "run") == local


def test_a_lost_node_costs_only_what_it_was_working_on(
    local: dict[str, str], cluster: Cluster, tmp_path: Path
) -> None:
    node = cluster.add_node(num_cpus=1, object_store_memory=100 << 20)
    process = start(tmp_path / "run", "--ray-address", cluster.address)
    written = 0
    while process.poll() is None and not written:
        if (tmp_path / "run/run.db").is_file():
            with Ledger.read(tmp_path / "run") as ledger:
                written = len(ledger.attempted())
        time.sleep(0.05)
    assert 0 < written <= N - stages.BATCH, "the run was over before the node was lost"
    cluster.remove_node(node, allow_graceful=False)
    said, _ = process.communicate(timeout=300)
    assert process.returncode == 0, said
    assert digests(tmp_path / "run") == local
