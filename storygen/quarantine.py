"""Poisoned texts: one that raises, or kills its worker, becomes a row with its reason, and the run goes on.

What a worker can catch it does (`guarded`), by the same pure functions on every engine; what takes the worker with it
is found by the engine, which gives such a batch back as `Lost` (`survive`). The reasons are `quarantine:raised` and
`quarantine:worker-died`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from storygen.engines import Engine, Lost, too_many_deaths
from storygen.errors import StorygenError

T = TypeVar("T")
R = TypeVar("R")

RAISED = "quarantine:raised"
DIED = "quarantine:worker-died"
FAULT = 10  # texts of a batch: where each of so many raises, no text is to blame but the program, and it says so
DEATHS = 8  # batches, and one in a hundred, that may kill their workers; more, and the machine is short of memory


def guarded(
    work: Callable[[Sequence[T]], Sequence[R]], items: Sequence[T], poisoned: Callable[[T, Exception], R]
) -> list[R]:
    """`work` over all items at once; where that raises, over each alone, with `poisoned` for those that still do.

    Raises what `work` raised where it is the user's to mend (StorygenError), the system's (OSError), or where each of
    FAULT items or more raises.
    """
    try:
        return list(work(items))
    except (StorygenError, OSError):
        raise
    except Exception:
        out, errors = list[R](), list[Exception]()
        for item in items:
            try:
                out += work([item])
            except (StorygenError, OSError):
                raise
            except Exception as error:
                errors.append(error)
                out.append(poisoned(item, error))
        if len(errors) == len(items) >= FAULT:
            raise errors[0] from None
        return out


def survive(
    engine: Engine,
    function: Callable[[tuple[T, ...]], R],
    batches: Iterable[tuple[T, ...]],
    poisoned: Callable[[T], R],
) -> Iterator[R]:
    """The results of all batches; a batch that kills its workers comes last, text by text.

    A text that kills them alone is what `poisoned` makes of it. Raises StorygenError when workers die all the time.
    """
    lost: list[tuple[T, ...]] = []
    for seen, result in enumerate(engine.map(function, batches)):
        if isinstance(result, Lost):
            lost.append(result.batch)
            if len(lost) > DEATHS + seen // 100:
                raise too_many_deaths()
        else:
            yield result
    for result in engine.map(function, [(item,) for batch in lost for item in batch]):
        yield poisoned(result.batch[0]) if isinstance(result, Lost) else result


def why(error: Exception) -> str:
    """An error as it stands in the ledger."""
    return f"{type(error).__name__}: {error}"[:300]
