"""Requests one by one, as many at once as the other side lets through; each on disk before it is sent and after.

Sent again is only what was certainly not generated: turned away (429, 500, 529), or nobody there. An answer that was
lost on its way may have been billed, and the live API has no way to ask what became of a request: that is a failure.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from storygen.calls import UNANSWERED, Call
from storygen.errors import WriterError
from storygen.writers import trouble
from storygen.writers.limiter import Limiter
from storygen.writers.method import Ask
from storygen.writers.replies import errored, read

if TYPE_CHECKING:
    from storygen.writers.job import Job
    from storygen.writers.source import Answer, Source

PATIENCE = 120.0  # seconds to wait for answers that are paid for, after an interruption


class Stopped(Exception):
    """No further request is to be sent."""


class Live:
    """One live run over some premises."""

    def __init__(self, job: Job, source: Source) -> None:
        self._job, self._source = job, source
        self._limiter = Limiter(job.pace, source.who)
        self._settled = asyncio.Condition()
        self._flying = 0
        self._stop = False
        self._capped = False
        self._error: WriterError | None = None

    async def run(self, todo: Sequence[int]) -> bool:
        """Bring every premise to its end; returns whether the cap was reached first.

        Raises WriterError for what no waiting mends; answers in flight are waited for and kept.
        """
        queue = iter(todo)
        workers = [asyncio.create_task(self._worker(queue)) for _ in range(min(self._job.pace.most, len(todo)))]
        try:
            if workers:
                await asyncio.wait(workers)
        except asyncio.CancelledError:
            self._stop = True
            self._job.progress.say("Waiting for the answers under way; interrupt again to give them up.")
            await asyncio.wait(workers, timeout=PATIENCE)
            raise
        finally:
            for worker in workers:
                worker.cancel()
            ended = await asyncio.gather(*workers, return_exceptions=True)
            await self._limiter.close()
        for result in ended:
            if isinstance(result, Exception):
                raise result
        if self._error is not None:
            raise self._error
        return self._capped

    async def _worker(self, queue: Iterator[int]) -> None:
        try:
            for index in queue:
                if self._stop or self._capped:
                    return
                calls = self._job.calls.of([index])[index]
                while isinstance(step := self._job.next(index, calls), Ask):
                    calls.append(await self._ask(step))
                self._job.commit(step)
                self._job.toll.count(step)
                self._job.toll.stop_if_hopeless(self._job.paid)
        except Stopped:
            return
        except WriterError as error:
            self._error, self._stop = self._error or error, True
        except Exception:
            self._stop = True
            raise

    async def _ask(self, ask: Ask) -> Call:
        worst = self._job.worst(ask)
        await self._reserve(worst)
        call = Call(ask.idx, ask.step, ask.attempt, None, UNANSWERED, {}, worst)
        end = replace(call, usd=0.0)
        try:
            end = await self._send(ask, call)
            return end
        finally:
            self._flying -= 1
            self._job.budget.settle(worst, end.usd)
            async with self._settled:
                self._settled.notify_all()

    async def _reserve(self, worst: float) -> None:
        """Wait until the worst case fits under the cap beside what is in flight. Raises Stopped if it never will."""
        budget = self._job.budget
        async with self._settled:
            await self._settled.wait_for(lambda: self._stop or budget.fits(worst) or not self._flying)
            if self._stop or not budget.fits(worst):
                self._capped = self._capped or not self._stop
                raise Stopped
            budget.reserve(worst)
            self._flying += 1

    async def _send(self, ask: Ask, call: Call) -> Call:
        """Ask until there is an answer, or something to put in its place."""
        job, now = self._job, self._job.clock
        while True:
            found: trouble.Trouble | None = None
            answer: Answer | None = None
            async with self._limiter.slot() as sent_in:
                if self._stop:
                    raise Stopped
                job.calls.write(call, now())
                try:
                    answer = await self._source.ask(ask.prompt)
                except Exception as error:
                    found = trouble.of(error)
                    if found is None:
                        raise
            if answer is not None:
                self._limiter.succeeded(answer.remaining)
                end = job.answered((ask.idx, ask.step, ask.attempt), answer.raw, read(answer.raw), call.usd, None)
                job.calls.write(end, now())
                return end
            assert found is not None
            if found.sort == "fatal":
                job.calls.forget(call)
                raise trouble.fatal(found, self._source.who, self._source.name)
            if found.sort == "rejected":
                end = replace(call, reply=errored("invalid_request_error", found.message), problem="errored", usd=0.0)
                job.calls.write(end, now())
                return end
            if found.sort == "lost":
                end = replace(call, problem="lost")  # it may have been paid for: the worst case stays counted
                job.calls.write(end, now())
                await self._limiter.busy(sent_in, None, found.message)
                return end
            job.calls.forget(call)
            await self._limiter.busy(sent_in, found.wait, found.message)
