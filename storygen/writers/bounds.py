"""A schema in which every string is bounded, for models so small that they would run on to the last token.

The server turns a `pattern` into a grammar: texts are so many whole sentences, in plain letters, and end with a full
stop. What the sentences say is still the model's own, and a screen or the judge may drop it. Such a model goes round
in circles after some hundred words, so no more are asked of it; a premise of over twice as many fails for its length.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

SENTENCE = r"[A-Z][A-Za-z ,'-]{25,140}[.!?]"
WORDS = (14, 12)  # a sentence: the fewest and the most sentences are such that a text comes out at its length
PATTERNS = {
    "title": r"^[A-Z][a-z']{1,12}( [A-Za-z][a-z']{1,10}){1,6}$",
    "clause": r"^[a-z]{3,15}(-[a-z]{2,15}){0,2}$",
}
LONGEST = 300  # words
ITEMS = 2  # reasons, problems or faults, at most


def bounded(schema: type[BaseModel], words: int) -> dict[str, Any]:
    """A pydantic model's JSON schema with bounds: prose of about so many words, which comes before other fields."""
    whole = schema.model_json_schema()
    bound: dict[str, Any] = _bound(whole, "", min(words, LONGEST), whole.get("$defs", {}))
    return bound


def _bound(node: Mapping[str, Any], name: str, words: int, known: Mapping[str, Any]) -> Any:
    if "$ref" in node:
        return _bound(known[node["$ref"].rpartition("/")[2]], name, words, known)
    if "enum" in node or "const" in node:
        return dict(node)
    if node.get("type") == "string":
        return {"type": "string", "pattern": PATTERNS.get(name) or f"^{_prose(words if name == 'text' else 0)}$"}
    if node.get("type") == "array" and name == "messages":
        return {"type": "array", "prefixItems": [_turn("user", 45), _turn("assistant", max(words - 45, 60))]}
    if node.get("type") == "array":
        return {"type": "array", "items": _bound(node["items"], "", words, known), "maxItems": ITEMS}
    if node.get("type") == "object":
        fields = node["properties"]
        order = sorted(fields, key=lambda field: field not in ("text", "messages", "problems"))
        properties = {field: _bound(fields[field], field, words, known) for field in order}
        return {"type": "object", "properties": properties, "required": order, "additionalProperties": False}
    return dict(node)


def _turn(role: str, words: int) -> dict[str, Any]:
    content = {"type": "string", "pattern": f"^{_prose(words)}$"}
    properties = {"role": {"const": role}, "content": content}
    return {
        "type": "object",
        "properties": properties,
        "required": ["role", "content"],
        "additionalProperties": False,
    }


def _prose(words: int) -> str:
    """A regular expression for about so many words; 0: one sentence."""
    if not words:
        return SENTENCE
    fewest, most = (max(1, round(words / one) - 1) for one in WORDS)
    return f"{SENTENCE}( {SENTENCE}){{{fewest},{most}}}"
