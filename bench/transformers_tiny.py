"""`--writer transformers:FOLDER` for real, on a model of random weights that this script makes; no hub is asked.

    python -m venv /tmp/t && /tmp/t/bin/pip install -e '.[transformers]'
    /tmp/t/bin/python bench/transformers_tiny.py [/tmp/tiny]

torch is too large for the dev extra, so this is no test of the suite. The model is a two-layer Llama with a tokenizer
of 1,000 byte pairs trained on our own prompts; it can say nothing. It is made to close its
quotation marks (a bias in its generation_config.json), so that answers come to an end: those must be JSON of their
schema. Without a chat template, or with too short a context, a model must do no worse than to fail by the row, and a
folder that cannot be loaded is one sentence. Exits 1 where that does not hold.
"""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import sys
from collections import Counter
from pathlib import Path

import tokenizers
import transformers

from storygen import cli, resources
from storygen.ledger import Ledger
from storygen.records import SCHEMAS
from storygen.writers.prompts import Prompts
from storygen.writers.replies import read

TEMPLATE = (
    "{% for m in messages %}<{{ m.role }}>{{ m.content }}\n{% endfor %}{% if add_generation_prompt %}<a>{% endif %}"
)


def make(folder: Path, chat: bool = True, ends: bool = True, positions: int = 16_384) -> None:
    """A model and its tokenizer, saved as any on the hub is.

    `chat`: with a template; `ends`: closes its quotation marks; `positions`: its context.
    """
    raw = tokenizers.Tokenizer(tokenizers.models.BPE())
    raw.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=1_000, special_tokens=["<s>", "</s>"], show_progress=False,
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
    )  # fmt: skip
    raw.train_from_iterator(
        [p.read_text(encoding="utf-8") for p in resources.folder("prompts").glob("*.md")], trainer
    )
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=raw, bos_token="<s>", eos_token="</s>")
    if chat:
        tokenizer.chat_template = TEMPLATE
    config = transformers.LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
        max_position_embeddings=positions, bos_token_id=0, eos_token_id=1,
    )  # fmt: skip
    transformers.set_seed(0)
    model = transformers.LlamaForCausalLM(config)
    model.generation_config.do_sample = True
    if ends:
        marks = [token for word, token in tokenizer.get_vocab().items() if '"' in word]
        model.generation_config.sequence_bias = [[[token], 5.0] for token in marks]
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def storygen(model: Path, out: Path) -> tuple[object, str]:
    """Exit status of `storygen make`, and what it told."""
    told = io.StringIO()
    with contextlib.redirect_stdout(told), contextlib.redirect_stderr(told):
        try:
            cli.main(["make", "--n", "3", "--workers", "1", "--writer", f"transformers:{model}", "--out", str(out)])
        except SystemExit as done:
            return done.code, told.getvalue()
    return None, told.getvalue()


def calls(run: Path) -> Counter[str]:
    """What became of the answers, by problem; raises where one without a problem is not of its schema."""
    found: Counter[str] = Counter()
    with Ledger.read(run) as ledger:
        for (reply,) in ledger.query("SELECT reply FROM calls WHERE step = 'draft'"):
            answer = read(reply)
            found[answer.problem or "whole"] += 1
            if not answer.problem:
                fields = json.loads(answer.text)
                kind = next(k for k, s in SCHEMAS.items() if set(s.model_fields) == set(fields) or "text" in fields)
                SCHEMAS["advice" if "messages" in fields else kind].model_validate(fields)
        failures = ledger.failures()
        print(run.name, dict(found), dict(Counter(f"{reason} {detail}"[:90] for *_, reason, detail in failures)))
    return found


def main() -> int:
    root = Path(sys.argv[1] if len(sys.argv) > 1 else "/tmp/tiny")
    shutil.rmtree(root, ignore_errors=True)
    bars: dict[str, bool] = {}
    models = {"chat": {}, "base": {"chat": False}, "short": {"positions": 512}, "endless": {"ends": False}}
    becomes = {"chat": "whole", "base": "whole", "short": "errored", "endless": "truncated"}
    for name, more in models.items():
        make(root / name, **more)  # type: ignore[arg-type]
        if name == "endless":
            Prompts.room = lambda self, premise: 60  # type: ignore[method-assign]
        status, told = storygen(root / name, root / f"run-{name}")
        print(told.strip()[-300:])
        bars[f"{name}: no traceback, exit 1"] = status == 1 and "Traceback" not in told
        found = calls(root / f"run-{name}")
        bars[f"{name}: answers, nearly all of them {becomes[name]}"] = found[becomes[name]] > 0.8 * found.total() > 0
    status, told = storygen(root / "none", root / "run")
    bars["a folder that is not there is one sentence"] = status == 1 and "transformers cannot load" in told
    print("\n".join(f"{'ok ' if held else 'NOT'} {bar}" for bar, held in bars.items()))
    return 0 if all(bars.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
