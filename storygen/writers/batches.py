"""Message batches: half the price, and no way to pay twice for one request.

    intent on disk ──> create (never retried) ──> remote id on disk ──> poll ──> results, raw, on disk ──> done

A batch whose create was not answered, or whose process was killed in between, is in doubt. The API has no name for
a batch but its own id, so those that were made about then, are of that size and are not ours are watched until they
end: the custom_ids in their results begin with the name of the intent, or they were another's. Only when no such
batch is left was it never sent. Each step has batches of its own, and whatever is ready goes out while others run.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from storygen.calls import Batch, Call
from storygen.errors import WriterError
from storygen.writers import keys, trouble
from storygen.writers.batch_api import BatchApi
from storygen.writers.method import Ask
from storygen.writers.replies import read

if TYPE_CHECKING:
    from storygen.writers.anthropic import Claude
    from storygen.writers.job import Job

FEWEST, MOST = 1_000, 2_500  # requests a batch: enough to be worth a wait, few enough to show progress
BYTES = 200_000_000  # the API takes 256 MB
KEPT = 29 * 86_400.0  # seconds for which the API keeps results
DOWNLOADS = 3  # of results in which some are missing, before those count as lost
CHUNK = 200  # results put on disk at once
STOPS = ("authentication_error", "permission_error", "billing_error", "not_found_error")
TINY = 0.1  # of what is ready: a cap that leaves room for less is reached, not approached an hour a step


@dataclass(slots=True)
class Doubt:
    """A batch that may have been sent. `candidates`: remote ids that may be it; None: nobody has looked yet."""

    batch: Batch
    candidates: set[str] | None = None
    looks: int = 0


class Batches:
    """One batch run over some premises."""

    def __init__(self, job: Job, model: Claude, prefix: str) -> None:
        self._job, self._model, self._prefix = job, model, prefix
        self._api = BatchApi(model, job.pace)
        self._ready: dict[str, deque[int]] = {step: deque() for step in job.method.steps}
        self._open: list[Batch] = []
        self._doubts: list[Doubt] = []
        self._capped = False
        self._said = ""

    async def run(self, todo: Sequence[int]) -> bool:
        """Bring every premise to its end; returns whether the cap was reached first.

        Premises of batches that an earlier process left open come to their end too, asked for or not.
        Raises WriterError for what no waiting mends.
        """
        try:
            await self._api.known()
            for batch in self._job.calls.open_batches():
                if batch.remote is None:
                    self._doubts.append(Doubt(batch))
                else:
                    self._open.append(batch)
            flying = {idx for b in self._all() for idx, _, _ in b.requests}
            self._advance([i for i in todo if i not in flying])
            pause = self._job.pace.poll
            while True:
                moved = await self._look()
                moved |= await self._submit()
                if not self._all():
                    if self._capped or not any(self._ready.values()):
                        return self._capped
                    continue
                self._say()
                pause = self._job.pace.poll if moved else min(pause * 1.5, self._job.pace.longest_poll)
                await asyncio.sleep(pause)
        finally:
            await self._api.close()

    def _all(self) -> list[Batch]:
        return [*self._open, *(d.batch for d in self._doubts)]

    def _advance(self, indexes: Sequence[int], answered: str = "") -> None:
        """Put each premise into the queue of its next step after the one answered, or bring it to its end."""
        for at in range(0, len(indexes), CHUNK):
            part = indexes[at : at + CHUNK]
            calls = self._job.calls.of(part)
            for index in part:
                step = self._job.next(index, calls[index])
                if isinstance(step, Ask):
                    self._ready[step.step].append(index)
                else:
                    self._job.commit(step)
                if answered and not (isinstance(step, Ask) and step.step == answered):
                    self._job.toll.count(step)

    # sending

    async def _submit(self) -> bool:
        """Send what is ready: whole batches at any time, a small one when it is more than what can still be added.

        Last steps first: under a cap, texts that are begun are finished before others are begun.
        """
        moved, flying = False, Counter(b.requests[0][1] for b in self._all() for _ in b.requests)
        steps = list(self._ready)
        for k, step in reversed(list(enumerate(steps))):
            queue, coming = self._ready[step], sum(flying[s] for s in steps[: k + 1])
            size = min(MOST, max(FEWEST, len(queue) // 10))
            while queue and len(queue) >= min(FEWEST, coming) and not self._capped:
                if not await self._send(step, queue, size):
                    break
                moved = True
        return moved

    async def _send(self, step: str, queue: deque[int], most: int) -> bool:
        """One batch of one step, `most` requests at most; returns False where the cap leaves no room for it now."""
        job, size, usd = self._job, 0, 0.0
        requests: list[tuple[int, str, int]] = []
        params: list[dict[str, Any]] = []
        wanted = min(len(queue), most)
        while queue and len(requests) < most:
            ask = job.next(queue[0])
            assert isinstance(ask, Ask), "a premise in a queue has something to be asked"
            cost, body = job.worst(ask, batch=True), self._model.request(ask.prompt)
            length = len(json.dumps(body, ensure_ascii=True)) + 200
            if size + length > BYTES or not job.budget.fits(usd + cost):
                break
            queue.popleft()
            size, usd = size + length, usd + cost
            requests.append((ask.idx, ask.step, ask.attempt))
            params.append(body)
        if len(requests) < max(1, TINY * wanted):
            queue.extendleft(idx for idx, _, _ in reversed(requests))
            self._capped = not self._all()
            return False
        batch = job.calls.intend(self._prefix, step, requests, usd, job.clock())
        job.budget.reserve(usd)
        bodies = [
            {"custom_id": custom_id(batch, request), "params": body}
            for request, body in zip(requests, params, strict=True)
        ]
        await self._create(batch, bodies)
        return True

    async def _create(self, batch: Batch, bodies: list[dict[str, Any]]) -> None:
        try:
            made = await self._model.client.messages.batches.create(requests=bodies)  # type: ignore[arg-type]
        except Exception as error:
            found = trouble.of(error)
            if found is None:
                raise
            if found.sort in ("fatal", "rejected") or found.status == 429 or found.sort == "down":
                self._never_sent(batch)  # the API said so itself, or nobody was there
                if found.sort == "fatal":
                    raise trouble.fatal(found, self._model.who, self._model.name) from None
                if found.sort == "rejected":
                    raise WriterError(
                        f"{self._model.who} refused a batch: {found.message}.", "Nothing of it was run or paid for."
                    ) from None
                await self._api.pause(found)
                return
            self._doubts.append(Doubt(batch))
            return
        self._job.calls.sent(batch, made.id)
        self._open.append(_with_remote(batch, made.id))
        self._api.succeeded()

    def _never_sent(self, batch: Batch) -> None:
        self._job.calls.void(batch)
        self._job.budget.settle(batch.reserved_usd, 0.0)
        self._ready[batch.requests[0][1]].extendleft(idx for idx, _, _ in reversed(batch.requests))

    # waiting

    async def _look(self) -> bool:
        """Look at every open batch once, and at the doubtful ones; returns whether anything changed."""
        moved = False
        for doubt in list(self._doubts):
            moved |= await self._resolve(doubt)
        for batch in list(self._open):
            state = await self._api.state(str(batch.remote))
            if state is None:
                self._gone(batch)
                moved = True
            elif state.processing_status == "ended":
                await self._collect(batch)
                moved = True
        return moved

    async def _resolve(self, doubt: Doubt) -> bool:
        """Find out whether a batch was sent. See the head of this file."""
        if doubt.candidates is None or not doubt.candidates:
            if doubt.looks:
                await asyncio.sleep(self._job.pace.settle)
            doubt.candidates = await self._api.like(doubt.batch, self._job.calls.remotes())
            doubt.looks += 1
        for remote in sorted(doubt.candidates):
            state = await self._api.state(remote)
            if state is not None and state.processing_status != "ended":
                continue
            if state is not None and (await self._api.first_id(remote)).startswith(f"{doubt.batch.intent}-"):
                self._job.calls.sent(doubt.batch, remote)
                self._doubts.remove(doubt)
                self._open.append(_with_remote(doubt.batch, remote))
                return True
            doubt.candidates.discard(remote)
        if doubt.candidates or doubt.looks < 2:
            return False
        self._doubts.remove(doubt)
        self._never_sent(doubt.batch)
        return True

    async def _collect(self, batch: Batch) -> None:
        """Results to disk as they stream in, raw; then each premise moves on. A cut download begins again.

        So does one that was cut without a sign of it; what is missing after a few of these is lost.
        """
        job = self._job
        by_id = {custom_id(batch, request): request for request in batch.requests}
        worst = batch.reserved_usd / len(batch.requests)
        whole = 0
        while whole < DOWNLOADS:
            left, calls = dict(by_id), []
            try:
                async for result in self._api.results(str(batch.remote)):
                    request = left.pop(str(result.get("custom_id")), None)
                    if request is None:
                        continue
                    raw = json.dumps(result.get("result"), ensure_ascii=False)
                    calls.append(job.answered(request, raw, read(raw), worst, batch.intent))
                    if len(calls) == CHUNK:
                        job.calls.arrive(calls, job.clock())
                        calls = []
                if not left:
                    break
                whole += 1
                await asyncio.sleep(job.pace.poll)
            except Exception as error:
                found = trouble.of(error) or (
                    trouble.Trouble("lost", "the results broke off") if isinstance(error, ValueError) else None
                )
                if found is None:
                    raise
                if found.sort == "fatal":
                    raise trouble.fatal(found, self._model.who, self._model.name) from None
                await self._api.pause(found)
        calls += _lost(batch, left.values())
        self._close(batch, calls)

    def _gone(self, batch: Batch) -> None:
        """A batch that the API does not know: its results were dropped, or the key is of another workspace."""
        if self._job.clock() - batch.at < KEPT:
            raise WriterError(
                f"{self._model.who} does not know the batch {batch.remote}, which this run sent.",
                "Use the key of the workspace that it was sent from; its results wait there for 29 days.",
            )
        self._close(batch, _lost(batch, batch.requests))

    def _close(self, batch: Batch, calls: Sequence[Call]) -> None:
        """The last results of a batch to disk, and its premises to their next step."""
        job = self._job
        job.calls.done(batch, calls, job.clock())
        self._open.remove(batch)
        job.budget.settle(batch.reserved_usd, 0.0)
        job.budget.spent = job.calls.spent()
        self._api.succeeded()
        self._refuse_if_hopeless(calls)
        self._advance([idx for idx, _, _ in batch.requests], batch.requests[0][1])
        job.toll.stop_if_hopeless(paid=True)

    def _refuse_if_hopeless(self, calls: Sequence[Call]) -> None:
        """One error where all of a batch failed for the key, the credit or the model."""
        details = [read(c.reply).detail for c in calls if c.reply is not None and c.problem == "errored"]
        if details and len(details) == len(calls) and details[0].startswith(STOPS):
            status = {"not_found_error": 404, "billing_error": 402}.get(details[0].partition(":")[0], 401)
            found = trouble.Trouble("fatal", keys.scrub(details[0]), status=status)
            raise trouble.fatal(found, self._model.who, self._model.name)

    def _say(self) -> None:
        """How the batches stand, when that has changed."""
        steps: dict[str, int] = {}
        for batch in self._all():
            steps[batch.requests[0][1]] = steps.get(batch.requests[0][1], 0) + len(batch.requests)
        done = self._job.calls.count("done")
        under_way = ", ".join(f"{count:,} to {step}" for step, count in steps.items())
        line = f"batches: {done} done, {len(self._all())} under way ({under_way}); {self._job.budget}"
        if line != self._said:
            self._said = line
            self._job.progress.say(line)


def custom_id(batch: Batch, request: tuple[int, str, int]) -> str:
    """`run-batch-premise-step-attempt`: unique in a batch, and enough to tell whose it is."""
    idx, step, attempt = request
    return f"{batch.intent}-{idx}-{step}-{attempt}"


def _lost(batch: Batch, requests: Iterable[tuple[int, str, int]]) -> list[Call]:
    """Calls whose results did not come: they may have been billed, so the worst case stays counted."""
    worst = batch.reserved_usd / len(batch.requests)
    return [Call(*request, None, "lost", {}, worst, batch.intent) for request in requests]


def _with_remote(batch: Batch, remote: str) -> Batch:
    return Batch(batch.number, batch.intent, remote, "sent", batch.requests, batch.reserved_usd, batch.at)
