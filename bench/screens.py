"""Each screen by itself on the grammar writer's texts, one process: documents a second, and what it dropped.

python bench/screens.py [2000]
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from storygen.records import Record, record
from storygen.screens import conduct, duplicates, form, language
from storygen.stages import Spec, contamination, context
from storygen.text import block

WARM = 200  # texts that load models and fill caches before the clock starts


def corpus(count: int) -> list[Record]:
    """The first `count` records of a run with seed 0, unscreened."""
    parts = context(Spec())
    premises = (parts.plan.premise(i) for i in range(count))
    return [record(p, parts.writer.write(p), "grammar", parts.writer.version) for p in premises]


def rate(work: Callable[[Sequence[Record]], Any], records: Sequence[Record]) -> tuple[float, Any]:
    work(records[:WARM])
    begin = time.perf_counter()
    result = work(records)
    return len(records) / (time.perf_counter() - begin), result


def main(count: int) -> None:
    begin = time.perf_counter()
    records = corpus(count)
    words = sum(len(r.text.split()) for r in records) / count
    print(f"{count:,} texts of {words:.0f} words, written at {count / (time.perf_counter() - begin):,.0f}/s")
    filter_ = contamination(())
    screens: dict[str, Callable[[Sequence[Record]], Any]] = {
        "form": form.screen,
        "language": language.screen,
        "conduct": conduct.screen,
        "hash": lambda r: block(x.text for x in r),
        "signatures, with hashing": lambda r: duplicates.signatures(block(x.text for x in r)),
        "duplicates, with hashing": duplicates.screen,
        "contamination, with hashing": filter_.screen,
    }
    for name, work in screens.items():
        speed, result = rate(work, records)
        dropped = f", dropped {len(result.rejected)}" if hasattr(result, "rejected") else ""
        print(f"{name:<28} {speed:>10,.0f}/s{dropped}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2000)
