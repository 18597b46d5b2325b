"""`--dry-run`: what a run would take, before anything is written or sent."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING

from storygen import premises, tables
from storygen.diversity import TOKENS_A_WORD

if TYPE_CHECKING:
    from storygen.settings import Settings

SAMPLE = 200  # premises written to measure size and speed


def dry_run(settings: Settings) -> str:
    """Lines for the terminal: records, words, tokens, megabytes and minutes, from a sample that is thrown away."""
    if settings.writer != "grammar":
        from storygen.writers import forecast

        return forecast.table(settings)
    from storygen import stages

    plan = premises.plan(settings.seed, dict(settings.mix), tables.load())
    kinds = Counter(plan.premise(i).kind for i in range(settings.n))
    stages.context(settings.spec())
    begin = time.perf_counter()
    rows = stages.produce(settings.spec(), range(min(settings.n, SAMPLE))).rows
    rate = len(rows) / (time.perf_counter() - begin)
    words = sum(len((row.line or "").split()) for row in rows) / len(rows)
    size = sum(len((row.line or "").encode()) for row in rows) / len(rows)
    kept = sum(row.reason is None for row in rows) / len(rows)
    lines = [
        f"{settings.n:,} records by the {settings.writer} writer, nothing to pay:",
        *(f"  {kind:<9} {count:>9,}" for kind, count in sorted(kinds.items())),
        f"about {settings.n * words:,.0f} words, {settings.n * words * TOKENS_A_WORD:,.0f} tokens, "
        f"{settings.n * size * 2 / 1e6:,.0f} MB in {settings.out} (data and ledger)",
        f"about {1 + settings.n / rate / settings.workers / 60:,.0f} min with {settings.workers} workers; "
        f"the screens keep about {kept:.1%} (measured on {len(rows)} texts)",
    ]
    return "\n".join(lines)
