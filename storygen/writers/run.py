"""`write`: the one call by which a run has its texts written by a model; everything it does is in the ledger."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from storygen import constitution as constitution_module
from storygen import stages
from storygen.calls import Calls
from storygen.errors import UsageError
from storygen.ledger import Ledger
from storygen.premises import Plan
from storygen.writers import Writer, method, parse_writer, prompts
from storygen.writers.job import Job
from storygen.writers.limiter import Pace
from storygen.writers.live import Live
from storygen.writers.money import Budget, Price, price
from storygen.writers.prompts import Prompts
from storygen.writers.source import Source

if TYPE_CHECKING:
    from storygen.pipeline import Progress
    from storygen.settings import Settings

SLOTS = 4  # requests at once with which an open model begins
IN_PROCESS = ("gguf", "transformers")  # these get no more: theirs is this machine
THINKING = 6_000  # tokens that a model which thinks may use before it answers; billed as output when used


def write(
    todo: Sequence[int], settings: Settings, ledger: Ledger, plan: Plan, progress: Progress, pace: Pace | None = None
) -> str:
    """Have a model write the texts of these premises; returns why it stopped before the end, else an empty string.

    Raises:
        WriterError: a bad key, no credit, an unknown model, a server that is gone or ignores schemas.
        UsageError: a model whose price nobody knows, or an arm that only the grammar writer has.
    """
    writer = parse_writer(settings.writer)
    if settings.arm != "full":
        raise UsageError(
            f"--arm {settings.arm} is an arm of the grammar writer.", "Leave it out, or --writer grammar."
        )
    calls, cost = Calls(ledger), price_of(writer, settings)
    under_way = calls.open_batches()
    if not todo and not under_way:
        return ""
    job = Job(
        plan,
        method.Method(
            prompts_of(settings, plan, cost),
            name_of(writer),
            settings.revise,
            settings.judge,
            method.screens(stages.contamination(tuple(str(p) for p in settings.evals))),
        ),
        ledger,
        calls,
        Budget(settings.max_usd, calls.spent(), sum(b.reserved_usd for b in under_way)),
        cost,
        writer.paid,
        progress,
        pace or pace_of(writer),
    )
    if writer.packaged:
        progress.say("The packaged model shows that the path works; what it writes is not worth training on.")
    with progress.stage("write", len(todo)):
        capped = asyncio.run(_write(job, writer, todo))
    if said := job.summary():
        progress.say(said)
    if not capped:
        return ""
    return f"the cap was reached: {job.budget} spent, and the next request could go over it"


def pace_of(writer: Writer) -> Pace:
    """How many requests go out at once: nothing is to be paid or cached for an open model, so it starts with some."""
    if writer.paid:
        return Pace()
    return Pace(start=SLOTS, most=SLOTS) if writer.source in IN_PROCESS else Pace(start=SLOTS)


async def _write(job: Job, writer: Writer, todo: Sequence[int]) -> bool:
    if writer.source == "anthropic-batch":
        from storygen.writers import anthropic
        from storygen.writers.batches import Batches

        model = anthropic.claude(writer.model, job.price, batch=True)
        try:
            return await Batches(job, model, _prefix(job.ledger)).run(todo)
        finally:
            await model.close()
    source = await open_source(writer, job.price)
    try:
        return await Live(job, source).run(todo)
    finally:
        await source.close()


async def open_source(writer: Writer, cost: Price) -> Source:
    """The model that a `--writer` value names, ready to be asked."""
    if writer.source == "anthropic":
        from storygen.writers import anthropic

        return anthropic.claude(writer.model, cost, batch=False)
    from storygen.writers import open_models

    return await open_models.open_model(writer)


def name_of(writer: Writer) -> str:
    """A writer as it stands in a record's meta: of a file its name alone, and no URL."""
    model = Path(writer.model).name if writer.source in ("gguf", "transformers") else writer.model
    return f"{writer.source}:{model}" if model else writer.source


def price_of(writer: Writer, settings: Settings) -> Price:
    """The price of a writer's model. Raises UsageError when it costs money and nobody knows how much."""
    return price(writer.model, writer.paid, settings.prices)


def prompts_of(settings: Settings, plan: Plan, cost: Price) -> Prompts:
    """The templates of a run with its constitution. Small models run on to the last token, so theirs are fewer."""
    writer, clauses = parse_writer(settings.writer), constitution_module.load(settings.constitution)
    spread = 2 if writer.source == "gguf" else 4
    return prompts.load(plan.tables, clauses, THINKING if cost.thinks else 0, spread, writer.packaged)


def _prefix(ledger: Ledger) -> str:
    """A name of this run for its batches, made once: by it they are told from those of others in the workspace."""
    name = ledger.get("batch_prefix")
    if name is None:
        name = secrets.token_hex(5)
        ledger.put("batch_prefix", name)
    return str(name)
