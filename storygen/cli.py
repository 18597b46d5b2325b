"""The command line: parse, call one function, echo. The only place that catches errors for the user."""

from __future__ import annotations

import errno
import os
import sqlite3
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from storygen import __version__, progress
from storygen.errors import StorygenError, UsageError

EVALS = click.option(
    "--evals", multiple=True, type=click.Path(path_type=Path), metavar="PATH",
    help="Scenarios of your own to keep out, beside the built-in bank: JSONL, .txt, .md, folder or bank. Repeatable.",
)  # fmt: skip
OUT = click.option(
    "--out", metavar="PATH|URI",
    help="The run's folder (default out/corpus), or a URI that pyarrow opens (s3:// gs:// hdfs:// file://). To a URI "
    "the whole run is streamed from --scratch at its end, each file aside and moved into place (in object stores it "
    "appears when whole), the manifest last.",
)  # fmt: skip
SCRATCH = click.option(
    "--scratch", type=click.Path(path_type=Path),
    help="With a URI for --out: the local folder of run.db, to go on from (default out/ and the URI's last part).",
)  # fmt: skip
ENGINE = click.option("--engine", type=click.Choice(["local", "ray"]), help="Where the work runs (default local).")
RAY_ADDRESS = click.option(
    "--ray-address",
    help="An existing Ray cluster, used whole; its nodes need this storygen and the paths given (default: local).",
)  # fmt: skip
WORKERS = click.option("--workers", type=int, help="Processes (default: one a core).")
RUN = click.argument("run", type=click.Path(path_type=Path))


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="storygen")
def cli() -> None:
    """Make training corpora of AIs that stay good under pressure, screened for leakage of the evaluations."""


@cli.command()
@click.option("--n", type=int, help="Records to export (default 50000); dropped ones are made up for.")
@OUT
@SCRATCH
@click.option("--seed", type=int, help="Same seed, same bytes (default 0).")
@click.option("--mix", help="Shares of the kinds (default story=6,document=3,advice=1).")
@click.option(
    "--writer", help="grammar (default, offline, free) · anthropic:MODEL · anthropic-batch:MODEL · "
    "openai:BASE_URL#MODEL · gguf · gguf:PATH · transformers:PATH_OR_NAME",
)  # fmt: skip
@click.option("--arm", help="full (default) · actions-only (no reasons) · placebo (no AI, no ethics).")
@click.option(
    "--constitution", type=click.Path(path_type=Path), help="Your own clauses: a folder, or one Markdown file."
)
@EVALS
@click.option("--language", help="ISO code of the texts (default en).")
@click.option("--validation", type=float, help="Share held out for validation (default 0.02).")
@ENGINE
@RAY_ADDRESS
@WORKERS
@click.option("--shard", help="Make only one slice of the run, like 3/64; `storygen merge` makes one run of them.")
@click.option("--max-usd", type=float, help="Hard cap on what a paid writer may spend.")
@click.option("--revise/--no-revise", default=None, help="Have a fresh instance rewrite each draft (model writers).")
@click.option("--judge/--no-judge", default=None, help="Have a judge score each draft (model writers).")
@click.option("--dry-run", is_flag=True, help="Say what would be done and what it would cost; do nothing.")
@click.option("--config", type=click.Path(path_type=Path), help="TOML file with any of these settings.")
def make(dry_run: bool, config: Path | None, **options: Any) -> None:
    """Make a corpus, or go on with one: the same command after an interruption loses nothing."""
    from storygen import engines, pipeline, publish, shards
    from storygen.writers import estimate

    settings = _settings(config, options)
    if dry_run:
        click.echo(estimate.dry_run(settings))
        return
    target = publish.open_target(settings.publish)
    with engines.open_engine(settings.engine, settings.workers, settings.ray_address) as engine:
        if settings.shard:
            count = shards.make_shard(settings, engine, progress.for_stream())
            click.echo(
                f"{count:,} texts written and screened in {settings.out}; merge all shards when they are done."
            )
            return
        outcome = pipeline.make(settings, engine, progress.for_stream())
    click.echo(_summary(outcome, publish.publish(outcome.folder, target)))


@cli.command()
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="RUN...")
@click.option("--out", required=True, metavar="PATH|URI", help="The folder of the merged run, or a URI (see `make`).")
@SCRATCH
@click.option("--constitution", type=click.Path(path_type=Path), help="As given to the shards.")
@EVALS
@ENGINE
@RAY_ADDRESS
@WORKERS
def merge(runs: tuple[Path, ...], **options: Any) -> None:
    """Make one run of all shards: global duplicates, top-up, splits, export, one report."""
    from storygen import engines, publish, shards

    given = _settings(None, options)
    target = publish.open_target(given.publish)
    with engines.open_engine(given.engine, given.workers, given.ray_address) as engine:
        outcome = shards.merge(runs, given, engine, progress.for_stream())
    click.echo(_summary(outcome, publish.publish(outcome.folder, target)))


@cli.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE...")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Where kept.jsonl and the report go.")
@EVALS
@click.option("--field", default="", help="The field that holds the text, when it is neither text nor messages.")
@click.option(
    "--language", default="en", show_default=True, help="ISO code of the texts; 'any' switches the screen off."
)
@WORKERS
def screen(
    files: tuple[Path, ...], out: Path, evals: tuple[Path, ...], field: str, language: str, workers: int | None
) -> None:
    """Screen any JSONL corpus, ours or not: kept lines byte for byte, rejected ones with reason and evidence."""
    from storygen import engines, screening

    _check_workers(workers)
    with engines.open_engine("local", workers or os.cpu_count() or 1) as engine:
        outcome = screening.screen(files, out, evals, field, language, engine, progress.for_stream())
    click.echo(_summary(outcome))


@cli.command()
@RUN
def report(run: Path) -> None:
    """Build report.html and report.json of a run again."""
    from storygen import finish
    from storygen.ledger import Ledger

    with Ledger.read(run) as ledger:
        finish.rebuild(ledger)
    click.echo(f"Open {run / 'report.html'}")


@cli.command()
@RUN
@click.option("--port", default=0, help="Port on 127.0.0.1 (default: a free one).")
@click.option("--reviewer", help="Your name in the decisions (default: the login name).")
@EVALS
def review(run: Path, port: int, reviewer: str | None, evals: tuple[Path, ...]) -> None:
    """Judge what was dropped and what came close, on a local page."""
    from storygen.review import serve

    serve(run, port, reviewer or os.environ.get("USER") or "reviewer", click.echo, evals)


@cli.command()
@RUN
@click.option("--to", "to", required=True, type=click.Path(path_type=Path), help="The folder to write.")
@click.option(
    "--format", "form", type=click.Choice(["jsonl", "parquet"]), default="jsonl", show_default=True,
    help="JSON lines, or Parquet (extra [parquet]).",
)  # fmt: skip
def export(run: Path, to: Path, form: str) -> None:
    """Write a run's kept records elsewhere, as JSONL or Parquet, honouring the reviewers' decisions."""
    from storygen import finish

    exported = finish.export_to(run, to, form)
    total = sum(sum(splits.values()) for splits in exported.counts.values())
    click.echo(f"{total:,} records in {len(exported.files)} files under {to / 'data'}")


@cli.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE...")
@click.option("--field", default="", help="The field that holds the text, when it is neither text nor messages.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--seed", default=0, show_default=True, help="Of the sample on which slow figures are taken.")
def stats(files: tuple[Path, ...], field: str, as_json: bool, seed: int) -> None:
    """Diversity figures of any JSONL corpus, beside reference bands, with the worst offenders quoted."""
    from storygen import diversity

    figures = diversity.of_files(files, field, seed)
    click.echo(diversity.to_json(figures) if as_json else diversity.table(figures))


@cli.command()
@click.argument("first", type=click.Path(path_type=Path))
@click.argument("second", type=click.Path(path_type=Path))
def diff(first: Path, second: Path) -> None:
    """What changed between two runs: settings, counts, rejects gained and lost, distributions."""
    from storygen import diff as module

    click.echo(module.table(module.diff(first, second)))


@cli.group()
def evals() -> None:
    """See what protects a corpus, and make a bank of your own scenarios that reveals no text."""


@evals.command("list")
@EVALS
def evals_list(evals: tuple[Path, ...]) -> None:
    """The scenarios that the built-in bank (and --evals) holds, by source and family."""
    from storygen.screens.contamination import evals as module

    click.echo(module.listing(evals))


@evals.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PATH...")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The bank file to write.")
def fingerprint(paths: tuple[Path, ...], out: Path) -> None:
    """Make a bank of hashes from private scenarios (JSONL, .txt, .md, folders, Inspect samples)."""
    from storygen.screens.contamination import evals as module

    bank = module.fingerprint(paths)
    bank.save(out)
    click.echo(f"{bank.describe_short()} in {out}; use it with --evals {out}")


def _settings(config: Path | None, options: dict[str, Any]) -> Any:
    from storygen.settings import ARMS, Settings, out_folder, parse_mix, read_config
    from storygen.shards import parse_shard

    given = {k: v for k, v in options.items() if v is not None and v != ()}
    values = {**(read_config(config) if config else {}), **given}
    if values.get("writer") == "gguf":  # the packaged model rewrites for the worse: only where it is asked to
        values.setdefault("revise", False)
    if "mix" in values:
        values["mix"] = parse_mix(values["mix"])
    if "shard" in values:
        values["shard"] = parse_shard(values["shard"])
    values.update(out_folder(values.get("out"), values.pop("scratch", None), "shard" in values))
    settings = replace(Settings(), **values)
    if settings.n <= 0:
        raise UsageError(f"--n must be at least 1, not {settings.n}.", "Say how many records to export.")
    if settings.arm not in ARMS:
        raise UsageError(f"There is no arm '{settings.arm}'.", f"Known: {', '.join(ARMS)}.")
    if settings.max_usd is not None and not 0 <= settings.max_usd < float("inf"):
        raise UsageError("--max-usd must be an amount of dollars.", "Like --max-usd 150.")
    if not 0 <= settings.validation < 1:
        raise UsageError("--validation must be at least 0 and below 1.", "0.02 holds out two in a hundred.")
    if settings.writer == "grammar" and settings.language not in ("en", "any"):
        raise UsageError("The grammar writer writes English only.", "Leave --language out, or give a model writer.")
    for path in (*settings.evals, *([settings.constitution] if settings.constitution else [])):
        if not path.exists():
            raise UsageError(f"{path} does not exist.", "Check the path.")
    _check_workers(settings.workers)
    from storygen.writers import parse_writer

    parse_writer(settings.writer)
    return settings


def _check_workers(workers: int | None) -> None:
    if workers is not None and workers < 1:
        raise UsageError(f"--workers must be at least 1, not {workers}.", "Leave it out for one a core.")


def _summary(outcome: Any, copied: str = "") -> str:
    """What a run came to, and the URI that it was copied to."""
    if outcome.already_done:
        said = f"This run is whole already: {outcome.kept:,} records in {outcome.folder}."
        return f"{said} {f'Copied to {copied}.' if copied else 'Nothing was done.'}"
    lines = [
        f"{outcome.kept:,} kept + {outcome.rejected:,} rejected + {outcome.failed:,} failed"
        f" = {outcome.attempted:,} attempted.",
        f"Planted leaks caught: {outcome.planted.caught} of {outcome.planted.count}.",
        "Open:",
        *(f"  {outcome.folder / name}" for name in ("report.html", *outcome.files, "rejected.jsonl")),
        *([f"Copied to {copied}."] if copied else []),
    ]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point: every error that a user can cause is one sentence and a hint."""
    sys.exit(_guarded(lambda: cli(list(arguments) if arguments is not None else None, standalone_mode=False)))


def _guarded(run: Callable[[], Any]) -> int:
    try:
        run()
        return 0
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.ClickException as error:
        error.show()
        return 2
    except (KeyboardInterrupt, click.exceptions.Abort):
        return _fail(130, "Interrupted; everything so far is kept.", "Run the same command again to go on.")
    except StorygenError as error:
        return _fail(error.exit_code, error.message, error.hint)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (OSError, sqlite3.OperationalError) as error:
        return _fail(1, *_disk(error))
    except Exception:  # a fault of ours: the whole of it for a report, but no key that may stand in it
        from storygen.writers.keys import scrub

        click.echo(scrub(traceback.format_exc()), err=True)
        return 1


def _disk(error: OSError | sqlite3.OperationalError) -> tuple[str, str]:
    full = (
        getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT)
        or "full" in str(error)
        or "disk I/O" in str(error)
    )
    if full:
        return (
            "The disk is full; everything committed so far is kept.",
            "Free some space and run the same command again.",
        )
    file = getattr(error, "filename", None)
    name = f" {file}" if file else ""
    what = getattr(error, "strerror", None) or str(error)
    return (
        f"The system refused{name}: {what}.",
        "Check the path and its permissions, then run the same command again.",
    )


def _fail(code: int, message: str, hint: str) -> int:
    click.echo(f"storygen: {message}" + (f"\n  {hint}" if hint else ""), err=True)
    return code


if __name__ == "__main__":
    main()
