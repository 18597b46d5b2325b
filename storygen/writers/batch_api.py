"""What can be asked of the batch API again and again at no cost: how batches stand, which there are, and results."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from storygen.calls import Batch
from storygen.writers import trouble
from storygen.writers.limiter import Limiter, Pace

if TYPE_CHECKING:
    from storygen.writers.anthropic import Claude

SKEW = 3600.0  # seconds by which the API's clock and ours may differ


class BatchApi:
    """The questions of one batch run; each is asked until it is answered, or until it is no use to go on."""

    def __init__(self, model: Claude, pace: Pace) -> None:
        self._model = model
        self._api = model.client.messages.batches
        self._limiter = Limiter(pace, model.who)

    async def known(self) -> None:
        """Refuse an unknown model or a bad key before 5,000 requests do."""
        await self._ask(self._model.client.models.retrieve, self._model.name)

    async def state(self, remote: str) -> Any:
        """A batch as the API describes it, None for one that it does not know."""
        return await self._ask(self._api.retrieve, remote, may_miss=True)

    async def first_id(self, remote: str) -> str:
        """The custom_id of a batch's first result: all of them begin with the name of its intent."""
        return str(await self._ask(self._first_id, remote))

    async def like(self, batch: Batch, ours: set[str]) -> set[str]:
        """Remote ids of batches made since an intent, of its size, and not in `ours`."""
        found: set[str] = set()
        page = await self._ask(self._api.list, limit=100)
        while True:
            for made in page.data:
                if made.created_at.timestamp() < batch.at - SKEW:
                    return found
                counts = made.request_counts  # their sum is the size of a batch, whatever its state
                total = counts.processing + counts.succeeded + counts.errored + counts.canceled + counts.expired
                if made.id not in ours and total == len(batch.requests):
                    found.add(made.id)
            if not page.has_next_page() or not page.data:
                return found
            page = await self._ask(self._api.list, limit=100, after_id=page.data[-1].id)

    async def results(self, remote: str) -> AsyncIterator[dict[str, Any]]:
        """The lines of a batch's results, as they are; raises what `storygen.writers.trouble` can tell apart."""
        stream = await self._api.results(remote)
        try:
            async for result in stream:
                yield result.to_dict(mode="json", exclude_unset=True)
        finally:
            await stream.close()

    async def pause(self, found: trouble.Trouble) -> None:
        """Wait as long as the API asks for, or twice as long as the last time."""
        async with self._limiter.slot() as round_:
            await self._limiter.busy(round_, found.wait, found.message)

    def succeeded(self) -> None:
        self._limiter.succeeded()

    async def close(self) -> None:
        await self._limiter.close()

    async def _first_id(self, remote: str) -> str:
        async for result in self.results(remote):
            return str(result.get("custom_id", ""))
        return ""

    async def _ask(self, function: Any, *arguments: Any, may_miss: bool = False, **more: Any) -> Any:
        while True:
            async with self._limiter.slot() as round_:
                try:
                    answer = await function(*arguments, **more)
                    self._limiter.succeeded()
                    return answer
                except Exception as error:
                    found = trouble.of(error)
                    if found is None:
                        raise
                    if found.status == 404 and may_miss:
                        return None
                    if found.sort in ("fatal", "rejected"):
                        raise trouble.fatal(found, self._model.who, self._model.name) from None
                    await self._limiter.busy(round_, found.wait, found.message)
