"""Claude as an outlines model: the anthropic SDK's own structured outputs, with usage and stop reason kept.

outlines 1.3 has no structured output for Anthropic (`from_anthropic` raises for any output type), so this is a model
of our own. `messages.create`, never `messages.parse`: that one raises on a truncated answer, which is paid for.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Mapping
from typing import Any

import anthropic
from outlines.generator import AsyncBlackBoxGenerator
from outlines.inputs import Chat
from outlines.models.base import AsyncModel, ModelTypeAdapter
from pydantic import BaseModel

from storygen.writers import keys
from storygen.writers.money import Price
from storygen.writers.prompts import Prompt
from storygen.writers.source import Answer, chat

EFFORT = {"draft": "medium", "revise": "medium", "judge": "low"}


@functools.cache
def strict(schema: type[BaseModel]) -> Mapping[str, Any]:
    """A schema as the API takes it; what it cannot express stands in descriptions and is checked by us."""
    return anthropic.transform_schema(schema.model_json_schema())


class ClaudeTypeAdapter(ModelTypeAdapter):
    """A `Chat` to `system` and `messages`; a pydantic model to `output_config`."""

    def __init__(self, ttl: str) -> None:
        self._ttl = ttl

    def format_input(self, model_input: Any) -> dict[str, Any]:
        messages = (
            model_input.messages if isinstance(model_input, Chat) else [{"role": "user", "content": model_input}]
        )
        system = [m["content"] for m in messages if m["role"] == "system"]
        out: dict[str, Any] = {"messages": [m for m in messages if m["role"] != "system"]}
        if system:
            cache = {"type": "ephemeral"} if self._ttl == "5m" else {"type": "ephemeral", "ttl": self._ttl}
            out["system"] = [{"type": "text", "text": "\n\n".join(system), "cache_control": cache}]
        return out

    def format_output_type(self, output_type: Any = None) -> dict[str, Any]:
        if output_type is None:
            return {}
        return {"output_config": {"format": {"type": "json_schema", "schema": strict(output_type)}}}


class Claude(AsyncModel):
    """`await AsyncBlackBoxGenerator(Claude(client, name), Schema)(prompt, max_tokens=…)` gives an `Answer`.

    Batches are half price and may take a day, in which the prompt cache of five minutes has long gone: `ttl` is then
    an hour's, as the API's guide to batches has it.
    """

    def __init__(self, client: anthropic.AsyncAnthropic, name: str, effort: bool = False, ttl: str = "5m") -> None:
        self.client = client.with_options(max_retries=0)  # every attempt is ours to count and to pay for
        self.name = name
        self.who = f"The API at {self.client.base_url.host}"
        self._effort = effort
        self.type_adapter = ClaudeTypeAdapter(ttl)

    def params(self, model_input: Any, output_type: Any = None, step: str = "draft", **more: Any) -> dict[str, Any]:
        """The parameters of `messages.create`, which are also those of one request in a batch."""
        params = {
            "model": self.name,
            **self.type_adapter.format_input(model_input),
            **self.type_adapter.format_output_type(output_type),
            **more,
        }
        if self._effort:
            params["output_config"] = {**params.get("output_config", {}), "effort": EFFORT[step]}
        return params

    def request(self, prompt: Prompt) -> dict[str, Any]:
        """`params` of one of our prompts."""
        return self.params(chat(prompt), prompt.schema, prompt.step, max_tokens=prompt.max_tokens)

    async def ask(self, prompt: Prompt) -> Answer:
        """One of our prompts through outlines."""
        # What outlines' `Generator` would make; that one only knows the model classes of outlines itself.
        generator: Any = AsyncBlackBoxGenerator(self, prompt.schema)  # type: ignore[arg-type]
        answer: Answer = await generator(chat(prompt), step=prompt.step, max_tokens=prompt.max_tokens)
        return answer

    async def close(self) -> None:
        await self.client.close()

    async def generate(self, model_input: Any, output_type: Any = None, **more: Any) -> Answer:
        """One live request. Raises the SDK's errors (`storygen.writers.trouble`)."""
        response = await self.client.messages.with_raw_response.create(
            **self.params(model_input, output_type, **more)
        )
        left = response.headers.get("anthropic-ratelimit-requests-remaining")
        return Answer(response.http_response.text, int(left) if left and left.isdigit() else None)

    async def generate_batch(self, model_input: list[Any], output_type: Any = None, **more: Any) -> list[Answer]:
        """All inputs as one message batch, answers in their order; waits until it has ended.

        A run uses `storygen.writers.batches` in place of this: that one survives kills and lost replies.
        """
        requests = [
            {"custom_id": str(k), "params": self.params(one, output_type, **more)}
            for k, one in enumerate(model_input)
        ]
        batch = await self.client.messages.batches.create(requests=requests)  # type: ignore[arg-type]
        while batch.processing_status != "ended":
            await asyncio.sleep(5)
            batch = await self.client.messages.batches.retrieve(batch.id)
        found: dict[str, Answer] = {}
        async for result in await self.client.messages.batches.results(batch.id):
            found[result.custom_id] = Answer(result.result.to_json(indent=None))
        return [found[str(k)] for k in range(len(model_input))]

    async def generate_stream(self, model_input: Any, output_type: Any = None, **more: Any) -> AsyncIterator[Any]:
        raise NotImplementedError("A draft is judged whole; nothing here streams.")


def client(base_url: str | None = None) -> anthropic.AsyncAnthropic:
    """A client whose key the SDK takes from the environment; nothing of it is kept here."""
    keys.check("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN")
    return anthropic.AsyncAnthropic(max_retries=0, base_url=base_url)


def claude(name: str, price: Price, batch: bool) -> Claude:
    """The model that `--writer anthropic:NAME` or `anthropic-batch:NAME` names."""
    return Claude(client(), name, price.effort, "1h" if batch else "5m")
