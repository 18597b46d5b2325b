"""Open models: the real SDKs and outlines against llama.cpp's own server with SmolLM2, and servers that misbehave."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import anthropic
import paid
import pytest
from fake_openai import says, server
from helpers import Quiet
from pydantic import BaseModel

from storygen import cli, stages
from storygen.errors import WriterError
from storygen.ledger import Ledger
from storygen.records import KINDS, Kind, StoryDraft
from storygen.settings import Settings
from storygen.stages import Spec
from storygen.writers import Writer, open_models, run
from storygen.writers.anthropic import Claude
from storygen.writers.bounds import bounded
from storygen.writers.prompts import Prompt, Prompts
from storygen.writers.replies import read
from storygen.writers.schemas import schema


class Small(BaseModel):
    title: str
    count: int


@pytest.fixture(scope="module")
def llama() -> Iterator[str]:
    """The URL of one llama.cpp server for all tests here."""
    model = open_models.serve(open_models.gguf(""), small=True)
    yield str(model._client.base_url).rstrip("/")
    asyncio.run(model.close())


def prompt(text: str, wanted: type[BaseModel] = Small, most: int = 60) -> Prompt:
    return Prompt("draft", "You are a clerk.", text, wanted, most)


def test_the_openai_protocol_gives_what_the_schema_asks_for(llama: str) -> None:
    async def ask() -> list[Any]:
        model = await open_models.open_model(Writer("openai", "m", llama))  # the canary sings in it
        try:
            questions = [prompt("Name a book."), prompt("Count to three.", most=200)]
            return [read((await model.ask(q)).raw) for q in questions]
        finally:
            await model.close()

    for reply in asyncio.run(ask()):
        assert reply.usage["output_tokens"] > 0
        if not reply.problem:  # a small model may run on to the last token; then that is said
            Small.model_validate_json(reply.text)
        else:
            assert reply.problem == "truncated"


def test_a_bounded_model_ends_by_itself_and_in_the_schema(llama: str) -> None:
    """What the packaged model is held to: whole sentences, about as many words as were asked for, no last token."""

    async def ask() -> Any:
        model = open_models.Served(llama, "m", "none", bounds=True)
        try:
            question = prompt("Write a story about a bridge keeper.", StoryDraft, 900)
            return read((await model.ask(replace(question, words=60))).raw)
        finally:
            await model.close()

    reply = asyncio.run(ask())
    assert reply.problem == ""
    assert "/" not in reply.model  # it stands in the records, and a path is nobody's affair
    draft = StoryDraft.model_validate_json(reply.text)
    assert 15 < len(draft.text.split()) < 150
    assert draft.text[-1] in ".!?"
    assert len(draft.title) < 100


@pytest.mark.parametrize("step", ["draft", "revise", "judge"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_string_of_a_bounded_schema_is_bounded_and_what_it_allows_is_valid(step: str, kind: Kind) -> None:
    wanted = bounded(schema(step, kind), 100)

    def least(node: dict[str, Any]) -> Any:
        """The shortest value that a node allows, as near as makes no odds."""
        if "const" in node or "enum" in node:
            return node.get("const", node.get("enum", [None])[0])
        if node["type"] == "object":
            return {name: least(inner) for name, inner in node["properties"].items()}
        if node["type"] == "array":
            return [least(inner) for inner in node.get("prefixItems", [node.get("items")])]
        assert node["type"] == "string"
        assert "*" not in node["pattern"]
        assert "+" not in node["pattern"]
        sentence = "The keeper counted the barges twice that night."
        known = ["The Short Week", "honesty", *(" ".join([sentence] * n) for n in (1, 4, 7, 8))]
        return next(text for text in known if re.fullmatch(node["pattern"], text))

    schema(step, kind).model_validate(least(wanted))


def test_the_messages_protocol_of_llama_cpp_answers_the_anthropic_sdk(llama: str) -> None:
    """That server ignores `output_config`: the malformed path, which ends as a counted failure and no crash."""

    async def ask() -> Any:
        client = anthropic.AsyncAnthropic(api_key="none", base_url=llama.removesuffix("/v1"))
        model = Claude(client, "m")
        try:
            return read((await model.ask(prompt("Say hello.", most=20))).raw)
        finally:
            await model.close()
            await client.close()

    reply = asyncio.run(ask())
    assert reply.usage["output_tokens"] > 0
    assert reply.problem in ("", "truncated")
    assert reply.text


def test_drafts_of_a_small_model_end_as_texts_or_counted_failures(
    llama: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Prompts, "system", "You write stories.")
    monkeypatch.setattr(Prompts, "room", lambda self, premise: 120)
    draft = Prompts.draft

    def short(self: Prompts, premise: Any) -> Prompt:
        whole = draft(self, premise)
        return Prompt("draft", whole.system, whole.user[:300], whole.schema, whole.max_tokens)

    monkeypatch.setattr(Prompts, "draft", short)
    settings = Settings(n=4, out=tmp_path / "run", writer=f"openai:{llama}#m")
    with Ledger.hold(tmp_path / "run") as ledger:
        plan = stages.plan(Spec())
        assert run.write(range(4), settings, ledger, plan, Quiet(), paid.pace(start=4)) == ""
        assert len(ledger.attempted()) == 4
        assert {reason for *_, reason, _ in ledger.failures()} <= {
            "writer:schema", "writer:length", "writer:truncated", "writer:shape"
        }  # fmt: skip
        assert ledger.spent()["usd"] == 0
        assert ledger.spent()["tokens"]["output_tokens"] > 0


def test_a_server_that_ignores_schemas_is_refused() -> None:
    with (
        server(lambda _: (200, says("Hello! How can I help you today?"))) as url,
        pytest.raises(WriterError, match=r"ignores schemas.*Hello"),
    ):
        asyncio.run(open_models.open_model(Writer("openai", "m", url)))


def test_a_server_that_is_not_there_is_named() -> None:
    with pytest.raises(WriterError, match=r"127\.0\.0\.1:9/v1 did not answer"):
        asyncio.run(open_models.open_model(Writer("openai", "m", "http://127.0.0.1:9/v1")))


def test_a_model_that_the_server_does_not_know_is_named() -> None:
    with (
        server(lambda _: (404, {"error": {"message": "no such model", "type": "not_found"}})) as url,
        pytest.raises(WriterError, match="does not know the model m"),
    ):
        asyncio.run(open_models.open_model(Writer("openai", "m", url)))


def test_a_server_that_dies_in_mid_run_is_noticed_and_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    left = 3

    def answer(body: dict[str, Any]) -> tuple[int, Any]:
        nonlocal left
        left -= 1
        canary = '{"colour": "ultramarine-7", "count": 1}'
        return (200, says(canary)) if left >= 0 else (503, {"error": {"message": "gone"}})

    monkeypatch.setattr(run, "Pace", paid.pace)
    with server(answer) as url, Ledger.hold(tmp_path / "run") as ledger:
        settings = Settings(n=20, out=tmp_path / "run", writer=f"openai:{url}#m")
        with pytest.raises(WriterError, match=r"The server at http://127\.0\.0\.1.*turned every request away"):
            run.write(range(20), settings, ledger, stages.plan(Spec()), Quiet())
        assert len(ledger.attempted()) < 20


def test_the_packaged_model_rewrites_only_where_it_is_told_to() -> None:
    def revise(**given: Any) -> bool:
        return bool(cli._settings(None, given).revise)

    assert not revise(writer="gguf")
    assert revise(writer="gguf", revise=True)
    assert revise(writer="gguf:some.gguf")
    assert revise(writer="anthropic:m")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(WriterError, match=r"nothing\.gguf is not there"):
        open_models.gguf(str(tmp_path / "nothing.gguf"))
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF nonsense")
    with pytest.raises(WriterError, match=r"cannot load .*broken\.gguf"):
        open_models.serve(broken)


class Tiny:
    """In the place of transformers, its tokenizer, its model and outlines' own classes; says what it is told to."""

    max_position_embeddings = 60
    has_chat_template = False

    def __init__(self, says: str) -> None:
        self.says = says
        self.asked: list[Any] = []
        self.config = self.type_adapter = self.AutoTokenizer = self.AutoModelForCausalLM = self

    def from_pretrained(self, name: str, **_: Any) -> Tiny:
        if name == "none":
            raise KeyError("no such thing\nin any place")
        return self

    def from_transformers(self, *_: Any) -> Tiny:
        return self

    def format_input(self, given: Any) -> str:
        return str(given)

    def Generator(self, _: Any, schema: Any) -> Callable[..., str]:
        def write(given: Any, max_new_tokens: int) -> str:
            self.asked.append((given, max_new_tokens))
            if self.says == "fail":
                raise RuntimeError("out of memory")
            return self.says

        return write

    def __call__(self, text: str, **_: Any) -> dict[str, Any]:
        return {"input_ids": text.split()}


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Tiny]:
    """A function that has a `transformers:` model say something."""

    def make(says: str) -> Tiny:
        fake = Tiny(says)
        monkeypatch.setattr(open_models.importlib, "import_module", lambda _: fake)
        return fake

    return make


@pytest.mark.parametrize(
    ("says", "question", "problem"),
    [
        ('{"title": "A", "count": 1}', "Count.", ""),
        ('{"title": "A", "cou', "Count.", "truncated"),
        ("", "word " * 60, "errored"),
    ],
)
def test_a_transformers_model_ends_is_cut_or_cannot_take_the_prompt(
    says: str, question: str, problem: str, tiny: Callable[[str], Tiny]
) -> None:
    """`bench/transformers_tiny.py` does this with torch and a model of random weights."""
    fake = tiny(says)
    reply = read(asyncio.run(open_models.Local("a/folder").ask(prompt(question))).raw)
    assert reply.problem == problem
    if problem == "errored":
        assert "the prompt has 64 tokens, and a/folder takes 60" in reply.detail
        assert not fake.asked
    else:
        assert reply.usage["input_tokens"] == 5
        assert fake.asked == [("You are a clerk.\n\nCount.\n\n", 55)]


def test_a_transformers_model_that_fails_is_one_error(tiny: Callable[[str], Tiny]) -> None:
    tiny("fail")
    with pytest.raises(WriterError, match="failed at a text: out of memory"):
        asyncio.run(open_models.Local("a/folder").ask(prompt("Count.")))
    with pytest.raises(WriterError, match=r"cannot load none: 'no such thing"):
        open_models.Local("none")


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr(open_models.importlib, "import_module", missing)
    with pytest.raises(WriterError) as caught:
        open_models.Local("some/model")
    assert "storygen[transformers]" in caught.value.hint
