"""The Ray engine on this machine's cores: the bytes of a local run, also when a worker is killed on the way."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from helpers import digests, make

N = 600


def start(folder: Path) -> subprocess.Popen[str]:
    environment = {**os.environ, "RAY_USAGE_STATS_ENABLED": "0"}
    command = [sys.executable, "-m", "storygen", "make", "--n", str(N), "--out", str(folder)]
    return subprocess.Popen(
        [*command, "--engine", "ray", "--workers", "2"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
    )


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


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("local") / "run"
    make(folder, n=N)
    return digests(folder)


def test_ray_gives_the_bytes_of_a_local_run(local: dict[str, str], tmp_path: Path) -> None:
    process = start(tmp_path / "run")
    said, _ = process.communicate(timeout=300)
    assert process.returncode == 0, said
    assert digests(tmp_path / "run") == local


def test_a_worker_killed_on_the_way_changes_nothing(local: dict[str, str], tmp_path: Path) -> None:
    process = start(tmp_path / "run")
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
