"""Malformed requests of every kind, each made from a number, so that any can be made again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random
from typing import Final
from urllib.parse import quote

import orjson

from tests.fuzz import documents, texts
from tests.fuzz.wire import Sent, http, websocket_frame

JSON: Final = ("content-type", "application/json")

_MEMBERS: Final = ("query", "variables", "operationName", "extensions", "documentId", "id", "batch")
_METHODS: Final = ("GET", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "TRACE", "BREW", "post")
_PATHS: Final = ("/graphql", "/graphql/", "/livez", "/", "/schema.graphql", "/../graphql", "/%2e/")
_CHUNKS: Final = (b"zz\r\n", b"5\r\n{}", b"-1\r\n", b"ffffffffffffffff\r\n", b"0\r\n")


class Malformed:
    """Makes requests. `operations` are valid documents, `tokens` are good ones of each caller."""

    def __init__(self, operations: list[str], tokens: list[str]) -> None:
        self._operations = operations
        self._tokens = tokens
        self._kinds: Mapping[str, Callable[[Random], Sent]] = {
            "bytes": self._bytes,
            "json": self._json,
            "members": self._members,
            "documents": self._documents,
            "variables": self._variables,
            "headers": self._headers,
            "query strings": self._query_string,
            "framing": self._framing,
        }

    @property
    def kinds(self) -> list[str]:
        """The kinds that `make` can make."""
        return list(self._kinds)

    def make(self, kind: str, number: int) -> Sent:
        """The request of this kind with this number, the same whenever it is made."""
        return self._kinds[kind](Random(f"{kind} {number}"))

    def _bytes(self, random: Random) -> Sent:
        valid = orjson.dumps({"query": random.choice(self._operations), "variables": {}})
        choice = random.randrange(4)
        if choice == 0:
            body = random.randbytes(random.choice((1, 30, 500, 20_000)))
        elif choice == 1:
            body = valid[: random.randrange(len(valid))]
        else:
            body = texts.damaged(valid, random)
        return self._post(random, body)

    def _json(self, random: Random) -> Sent:
        make = random.choice((texts.nested, texts.scalar, _any_value))
        return self._post(random, make(random))

    def _members(self, random: Random) -> Sent:
        members = [("query", texts.quoted(random.choice(self._operations)))]
        names = random.sample(_MEMBERS, random.randint(1, 4))
        members.extend((name, texts.value(random)) for name in names)
        if random.random() < 0.4:
            members.append(("extensions", _persisted(random)))
        random.shuffle(members)
        body = ",".join(f"{texts.quoted(name)}:{value}" for name, value in members)
        return self._post(random, f"{{{body}}}".encode("utf-8", "surrogatepass"))

    def _documents(self, random: Random) -> Sent:
        if random.random() < 0.6:
            document = documents.mutated(random, self._operations)
        else:
            document = documents.unreasonable(random)
        return self._post(random, f'{{"query":{texts.quoted(document)}}}'.encode())

    def _variables(self, random: Random) -> Sent:
        query = random.choice([one for one in self._operations if "$" in one])
        names = [part.split(":")[0] for part in query.split("$")[1:]]
        variables = ",".join(f"{texts.quoted(name)}:{texts.value(random)}" for name in set(names))
        body = f'{{"query":{texts.quoted(query)},"variables":{{{variables}}}}}'
        return self._post(random, body.encode("utf-8", "surrogatepass"))

    def _headers(self, random: Random) -> Sent:
        body = orjson.dumps({"query": random.choice(self._operations)})
        headers: list[tuple[str, str | bytes]] = [JSON] if random.random() < 0.7 else []
        headers.extend(_header(random) for _ in range(random.randint(1, 4)))
        return http(body, headers=headers, target=random.choice(_PATHS[:2]))

    def _query_string(self, random: Random) -> Sent:
        method = random.choice(("GET", *_METHODS))
        parts = []
        for _ in range(random.randint(0, 4)):
            name = random.choice((*_MEMBERS, *texts.STRANGE[:12]))
            content = random.choice((*self._operations, *texts.STRANGE, texts.value(random)))
            escaped = quote(content, safe=random.choice(("", "%", "&=+")), errors="replace")
            parts.append(f"{quote(name)}={escaped[:30_000]}")
        target = f"{random.choice(_PATHS)}?{'&'.join(parts)}"
        return http(method=method, target=target, headers=self._credentials(random))

    def _framing(self, random: Random) -> Sent:
        body = orjson.dumps({"query": "{ __typename }"})
        valid = http(body, headers=[JSON])
        choice = random.randrange(6)
        if choice == 0:
            return Sent(texts.damaged(valid.raw, random), ends=True)
        if choice == 1:
            return http(
                body, headers=[JSON], length=random.choice((0, 1, 10**6, 10**30)), ends=True
            )
        if choice == 2:
            return http(body, headers=[JSON, ("content-length", "7")], ends=True)
        if choice == 3:
            chunked = [JSON, ("transfer-encoding", "chunked")]
            chunk = random.choice(_CHUNKS)
            raw = http(headers=chunked, method="GET").raw.replace(b"GET", b"POST", 1)
            return Sent(raw + chunk, ends=True)
        if choice == 4:
            return Sent(random.randbytes(random.randint(1, 400)) + b"\r\n\r\n", ends=True)
        long = [("x-long", "a" * random.choice((8_000, 70_000, 300_000)))]
        return http(body, headers=[JSON, *long], ends=True)

    def _post(self, random: Random, body: bytes) -> Sent:
        return http(body, headers=[JSON, *self._credentials(random)])

    def _credentials(self, random: Random) -> list[tuple[str, str | bytes]]:
        if random.random() < 0.4:
            return []
        return [("authorization", f"Bearer {random.choice(self._tokens)}")]


def frames(random: Random, operations: list[str], token: str) -> list[bytes]:
    """Frames of one WebSocket: some right, some of the protocol but absurd, some of no protocol."""
    messages: list[bytes] = []
    if random.random() < 0.7:
        payload = {"authorization": f"Bearer {token}"} if random.random() < 0.7 else None
        messages.append(
            websocket_frame(orjson.dumps({"type": "connection_init", "payload": payload}))
        )
    messages.extend(_frame(random, operations) for _ in range(random.randint(1, 5)))
    return messages


def _frame(random: Random, operations: list[str]) -> bytes:
    choice = random.randrange(8)
    if choice == 0:
        return websocket_frame(
            random.randbytes(random.randint(0, 200)), opcode=random.randrange(16)
        )
    if choice == 1:
        return websocket_frame(texts.nested(random)[:60_000])
    if choice == 2:
        return websocket_frame(texts.value(random).encode("utf-8", "surrogatepass"))
    if choice == 3:
        return websocket_frame(b"{}", masked=False)
    if choice == 4:
        return websocket_frame(b"{}", final=False, length=random.choice((0, 125, 2**40)))
    kind = random.choice(("subscribe", "complete", "ping", "pong", "connection_init", "next", "?"))
    members = [f'"type":"{kind}"', f'"id":{random.choice((texts.value(random, 1), chr(34) * 2))}']
    if random.random() < 0.5:
        document = documents.mutated(random, operations)
        members[1] = '"id":"1"'
        members.append(f'"payload":{{"query":{texts.quoted(document)}}}')
    else:
        members.append(f'"payload":{texts.value(random)}')
    return websocket_frame(f"{{{','.join(members)}}}".encode("utf-8", "surrogatepass"))


def _any_value(random: Random) -> bytes:
    return texts.value(random).encode("utf-8", "surrogatepass")


def _persisted(random: Random) -> str:
    digest = random.choice(("a" * 64, "A" * 64, "", "é" * 64, "0" * 63))
    version = random.choice(("1", "2", '"1"', "true", "1.0", "9" * 400))
    return f'{{"persistedQuery":{{"version":{version},"sha256Hash":"{digest}"}}}}'


def _header(random: Random) -> tuple[str, str | bytes]:
    name = random.choice(
        (
            *("accept", "accept-language", "accept-encoding", "authorization", "content-type"),
            *("content-encoding", "x-request-id", "traceparent", "tracestate", "origin", "cookie"),
            *("if-none-match", "x-forwarded-for", "x-jifen-cost", "expect", "upgrade", "range"),
        )
    )
    values: tuple[str | bytes, ...] = (
        "",
        "*/*;q=0",
        "application/json;q=nan, */*;q=1e999",
        "application/json; charset=utf-7",
        "text/plain",
        "multipart/form-data; boundary=x",
        "gzip, br, zstd",
        "Bearer",
        "Bearer a.b.c",
        "Bearer " + "a" * 9_000,
        "Basic OjpubzpvbmU=",
        "zh" * 900,
        "en;q=-1, *;q=2, zh-Hant-TW-x-y;q=0.0001",
        ",".join(["a/b;q=0.5"] * 500),
        "00-" + "f" * 32 + "-" + "0" * 16 + "-ff",
        "100-continue",
        "null",
        b"\xff\xfe\x80",
        "积分".encode(),
        b'W/"' + b"a" * 500 + b'"',
        "1" * 400,
    )
    return name, random.choice(values)
