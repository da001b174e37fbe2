"""What no answer may show, whatever was asked: the general part of every probe."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import httpx
import orjson

from tests.repository.tree import ROOT

# Traces of our own making: paths, libraries, statements, exceptions. What a probe sends itself is
# chosen so that none of these words is in it.
TRACES = {
    "a stack trace": re.compile(
        r"traceback|stack_?trace|line \d+, in |raise \w+|\.py\b", re.IGNORECASE
    ),
    "a path of the machine": re.compile(rf"{re.escape(str(ROOT))}|site-packages|/usr/|/tmp/"),
    "a statement": re.compile(r"\b(SELECT|INSERT INTO|UPDATE|DELETE FROM)\b.*\b(FROM|SET|INTO)\b"),
    "a library": re.compile(
        r"strawberry|starlette|uvicorn|tortoise|asyncpg|sqlite|postgres|pydantic|orjson"
        r"|redis[.:]|graphql-core|python/|httptools|structlog",
        re.IGNORECASE,
    ),
    "an exception": re.compile(r"\w+(Error|Exception)\b(?!s)(?=:|\()"),
}
EXTENSIONS = {"code", "requestId", "limit", "requested", "reason", "argument", "field", "retryable",
              "retryAfter", "expected"}  # fmt: skip
"""What an error may add. Anything else would be a debugging aid."""

REPEATED_BYTES_MAX = 8_000
"""How long a refusal may be: five errors of a thousand characters, and what is around them."""

TOLD_MAX = 20_000
"""How much of an answer is searched for traces."""

DEBUGGING = {"tracing", "debug", "exception", "stacktrace", "cacheControl", "ftv1", "queryPlan"}
FORBIDDEN_HEADERS = {
    "server",
    "x-powered-by",
    "set-cookie",
    "via",
    "x-debug-token",
    "x-runtime",
    "x-aspnet-version",
    "sourcemap",
}


def general_findings(response: httpx.Response) -> Iterator[str]:
    """What is wrong with any answer: a fault of ours, a trace, a header, a debugging extension."""
    if response.status_code >= 500:
        yield f"status {response.status_code}"
    told = "\n".join([*(f"{n}: {v}" for n, v in response.headers.items()), response.text])
    if len(response.content) > REPEATED_BYTES_MAX and response.is_error:
        yield f"{len(response.content)} bytes to say no"
    for name, trace in TRACES.items():
        if found := trace.search(told[:TOLD_MAX]):
            yield f"{name}: {found.group()!r}"
    for header in FORBIDDEN_HEADERS & response.headers.keys():
        yield f"header {header}"
    if response.headers.get("x-content-type-options") != "nosniff":
        yield "a browser may guess another content type"
    if response.headers.get("access-control-allow-origin"):
        yield "other origins may read"
    yield from _findings_in_json(response)


def _findings_in_json(response: httpx.Response) -> Iterator[str]:
    is_json = response.headers.get("content-type", "").startswith("application/")
    if not is_json or not response.content:
        return
    body: Any = orjson.loads(response.content)
    if not isinstance(body, dict):
        yield "a batch was answered"
        return
    if DEBUGGING & (body.get("extensions") or {}).keys():
        yield f"extensions {sorted(body['extensions'])}"
    errors = body.get("errors", [])
    if len(errors) > 5:
        yield f"{len(errors)} errors"
    for error in errors:
        extensions = error.get("extensions", {})
        if unknown := extensions.keys() - EXTENSIONS:
            yield f"error extensions {sorted(unknown)}"
        if extensions.get("code") == "INTERNAL":
            yield "a fault of ours"
        if "did you mean" in error["message"].lower():
            yield f"a suggestion: {error['message']}"
