"""Planted leaks: every run's own measurement of its filter."""

from __future__ import annotations

import json
from pathlib import Path

import helpers
import leaks

from storygen import planting, stages
from storygen.screens.contamination import TIERS, planted
from storygen.screens.contamination.planted import Plant

FAMILIES = set("blackmail leaking lethal sabotage framing exfiltration oversight sandbagging".split())


def test_every_tier_and_family_is_planted_and_caught() -> None:
    plants = planted([helpers.text(k) for k in range(20)])
    found = planting.tally(plants, planting._look(stages.Spec(), plants))
    assert found.missed == ()
    families = {row["family"] for row in found.rows if row["tier"] == "ngram"}
    assert {
        "blackmail",
        "leaking",
        "lethal",
        "sabotage",
        "framing",
        "exfiltration",
        "oversight",
        "sandbagging",
    } <= families
    assert {row["tier"] for row in found.rows} >= set(TIERS) - {"plot"}
    for row in found.rows:
        assert 0 <= row["low"] <= row["recall"] <= row["high"] <= 1
        assert row["caught"] <= row["planted"]
    assert planting.Planted.from_json(json.loads(json.dumps(found.to_json()))).to_json() == found.to_json()


def test_same_carriers_same_plants() -> None:
    hosts = [helpers.text(k) for k in range(3)]
    assert planted(hosts, seed=4) == planted(hosts, seed=4)
    assert planted(hosts, seed=4) != planted(hosts, seed=5)
    assert len({p.record.id for p in planted(hosts)}) == len(planted(hosts))


def test_expected_tier_is_the_one_that_catches() -> None:
    plants = [p for p in planted([helpers.text(1)]) if p.tier != "plot"]
    reasons = planting._look(stages.Spec(), plants)
    assert {r.split(":")[1] for p, r in zip(plants, reasons, strict=True) if r and p.form == "whole"} == {
        "canary", "entity", "item", "ngram",
    }  # fmt: skip
    assert [(p.tier, r) for p, r in zip(plants, reasons, strict=True) if r != f"contamination:{p.tier}"] == []


def test_without_carriers_the_package_has_its_own() -> None:
    plants = planted([])
    assert planting.tally(plants, planting._look(stages.Spec(), plants)).missed == ()


def test_plants_of_the_users_own_scenarios(tmp_path: Path) -> None:
    source = tmp_path / "mine.jsonl"
    texts = [helpers.text(k) for k in range(40, 43)]
    source.write_text("".join(json.dumps({"text": t, "family": "mine"}) + "\n" for t in texts), encoding="utf-8")
    plants = planted([leaks.carriers()[0]], [source])
    spec = stages.Spec(evals=(str(source),))
    found = planting.tally(plants, planting._look(spec, plants))
    mine = [row for row in found.rows if row["family"] == "mine"]
    assert mine
    assert mine[0]["planted"] >= 6
    assert found.missed == ()


def test_a_blind_tier_is_told() -> None:
    plants = planted([helpers.text(1)])
    found = planting.tally(plants, [None] * len(plants))
    assert len(found.missed) == sum(p.must for p in plants)
    assert found.caught == 0
    assert all(isinstance(p, Plant) for p in plants)
