"""The global near-duplicate pass as a Ray Data group-by: who shares a bucket, by the same pure function as locally.

A record moves as 25 rows of (part, row, key, flags), 21 bytes each; a part is one band's share of the keys, so every
bucket is whole inside one group, and a group is one call over arrays.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from storygen.screens.buckets import BANDS, U32, Bools, Meet, band_keys, by_band, codes
from storygen.text import I64

BLOCK = 50_000  # signatures a block of the data set: 26 MB
GROUP = 2_000_000  # texts a group: 42 MB of rows, and about five times that while they are sorted
SMALL = 100_000  # fresh texts; fewer are searched here in a fifth of a second, before a shuffle would begin


def by_shuffle(signed: U32, live: Bools, fresh: Bools, meet: Meet) -> Iterator[I64]:
    """The search on a cluster that this process has joined; gives the pairs that `by_band` gives."""
    if np.count_nonzero(fresh) < SMALL:
        yield from by_band(signed, live, fresh, meet)
        return
    import pyarrow as pa
    import ray

    _quiet()
    flags = live.astype(np.uint8) | (fresh.astype(np.uint8) << 1)
    tables = [
        pa.table({
            "row": np.arange(at, min(at + BLOCK, len(signed))),
            "flags": flags[at : at + BLOCK],
            "signature": pa.FixedSizeBinaryArray.from_buffers(
                pa.binary(512), len(signed[at : at + BLOCK]), [None, pa.py_buffer(signed[at : at + BLOCK])]
            ),
        })
        for at in range(0, len(signed), BLOCK)
    ]  # fmt: skip
    parts = -(-len(signed) // GROUP)
    found = (
        ray.data.from_arrow(tables)
        .map_batches(partial(_bands, parts), batch_format="pyarrow", batch_size=None)
        .groupby("part")
        .map_groups(partial(_group, meet, len(signed)), batch_format="numpy")
    )
    for batch in found.iter_batches(batch_format="numpy", batch_size=None):
        yield batch["code"]


def _bands(parts: int, table: Any) -> dict[str, Any]:
    """Every band of a block of signatures."""
    column = table.column("signature").combine_chunks()
    signed = np.frombuffer(column.buffers()[1], np.uint32).reshape(-1, 128)[column.offset :][: len(column)]
    keys = [band_keys(signed, band) for band in range(BANDS)]
    part = [np.int32(band * parts) + (key % np.uint64(parts)).astype(np.int32) for band, key in enumerate(keys)]
    return {
        "part": np.concatenate(part),
        "row": np.tile(table.column("row").to_numpy(), BANDS),
        "key": np.concatenate(keys),
        "flags": np.tile(table.column("flags").to_numpy(), BANDS),
    }


def _group(meet: Meet, total: int, group: dict[str, Any]) -> dict[str, Any]:
    """The pairs of one part; a shuffle keeps no order, so rows are put into theirs first."""
    order = np.argsort(group["row"])
    flags = group["flags"][order]
    live, fresh = (flags & 1).astype(np.bool_), (flags & 2).astype(np.bool_)
    return {"code": codes(group["key"][order], group["row"][order], live, fresh, meet, total)}


def _quiet() -> None:
    """No bars and no news of Ray Data's own: the run's progress is ours to tell."""
    from ray.data import DataContext
    from ray.data.context import ShuffleStrategy

    for name in ("ray.data", "ray.data._internal"):
        logging.getLogger(name).setLevel(logging.ERROR)
    context = DataContext.get_current()
    context.enable_progress_bars = False
    # Keeps no actors: on two cores the other strategy's take longer to start than the whole sort.
    context.shuffle_strategy = ShuffleStrategy.SORT_SHUFFLE_PULL_BASED
