"""The probe set and the training script: labels that are whole, and left-out figures that are left out."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections import Counter
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from storygen.screens.contamination.plot import load_families

ROOT = Path(__file__).parent.parent
SLICES = sorted((ROOT / "probes" / "leakage").glob("*.jsonl"))
FAMILIES = {f.name for f in load_families()}


def rows(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("plot_tool", ROOT / "tools" / "plot.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["plot_tool"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("path", SLICES, ids=lambda p: p.stem)
def test_probes_are_whole(path: Path) -> None:
    probes = rows(path)
    assert len({p["id"] for p in probes}) == len(probes)
    for p in probes:
        assert p["slice"] == path.stem
        assert p["label"] in ("leak", "near-miss", "ordinary"), p["id"]
        assert (p["family"] in FAMILIES) == (p["label"] != "ordinary"), p["id"]
        assert isinstance(p["behaved"], bool) == (p["label"] == "leak"), p["id"]
        assert all(isinstance(p[key], str) and p[key] for key in ("register", "setting", "why", "text")), p["id"]


def test_every_family_leaks_and_nearly() -> None:
    probes = [p for path in SLICES for p in rows(path)]
    for label in ("leak", "near-miss"):
        counts = Counter(p["family"] for p in probes if p["label"] == label)
        assert min(counts[f] for f in FAMILIES) >= 35, label
    assert len({p["text"] for p in probes}) == len(probes)


def test_canary_is_documented() -> None:
    assert "7aa5b173-0bd8-4624-b221-44810d185545" in (ROOT / "probes" / "README.md").read_text("utf-8")


def test_left_out_groups_are_not_seen(tool: ModuleType) -> None:
    """A feature that only one group has cannot help that group's score: that is what leaving out means."""
    from scipy.sparse import csr_matrix

    rng = np.random.default_rng(0)
    leak = rng.random(60) < 0.5
    groups = [f"g{k % 3}" for k in range(60)]
    wording = np.zeros((60, tool.vectors.width()))
    for g in range(3):
        wording[g::3, g] = leak[g::3]  # each group betrays its leaks by a column of its own
    d = tool.Data(csr_matrix(wording), np.zeros((60, 2)), leak, np.full(60, 1 / 60))
    _, out = tool.left_out(d, groups)
    assert len(np.unique(out.round(6))) <= 3  # nothing but each fold's bias
    _, seen = tool.odds(d, np.ones(60, bool), tool.fit(d, np.ones(60, bool)))
    assert tool.auc(seen, leak) == 1


def test_threshold_keeps_every_rate(tool: ModuleType) -> None:
    labels = ["near-miss"] * 200 + ["ordinary"] * 300 + ["leak"] * 50
    score = np.random.default_rng(1).normal(size=550)
    cut = tool.threshold(score, labels)
    names = np.array(labels)
    for label in ("near-miss", "ordinary"):
        assert np.mean(score[names == label] > cut) <= tool.MOST[label]


def test_auc(tool: ModuleType) -> None:
    leak = np.array([True, False, True, False])
    assert tool.auc(np.array([3.0, 1.0, 4.0, 2.0]), leak) == 1
    assert tool.auc(np.array([1.0, 3.0, 2.0, 4.0]), leak) == 0
    assert tool.auc(np.array([1.0, 2.0, 4.0, 3.0]), leak) == 0.5
