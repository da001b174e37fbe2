"""Messages as clients send them: whatever comes is read, or refused with a code."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers

from api.streaming.credentials import presented
from api.streaming.frames import BadFrame, Ending, Frame, fitting_reason, read_frame
from api.streaming.sockets import allowed_origins
from tests.api.gateway import development_settings, production_settings

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
KINDS = ["connection_init", "ping", "pong", "subscribe", "complete", "next", "error", ""]
MESSAGES = st.fixed_dictionaries(
    {}, optional={"type": st.sampled_from(KINDS) | JSON, "id": JSON, "payload": JSON}
)


@given(st.text() | JSON.map(json.dumps) | MESSAGES.map(json.dumps))
def test_whatever_comes_is_a_message_or_refused(text: str) -> None:
    match read_or_refused(text):
        case Ending() as ending:
            assert ending.code in {4400, 1009}
            assert len(fitting_reason(ending.reason).encode()) <= 123
        case frame:
            said = json.loads(text)
            assert (frame.kind, frame.payload) == (said["type"], said.get("payload") or {})


def read_or_refused(text: str) -> Frame | Ending:
    try:
        return read_frame(text, bytes_max=1_000)
    except BadFrame as bad:
        return bad.ending


def test_a_message_is_read() -> None:
    text = '{"type":"subscribe","id":"1","payload":{"query":"{ping}"},"more":"is left aside"}'
    frame = Frame(kind="subscribe", id="1", payload={"query": "{ping}"})
    assert read_frame(text, bytes_max=1_000) == frame


@pytest.mark.parametrize(("text", "fits"), [("积" * 41, 41), ("积" * 42, 41), ("x积" * 50, 61)])
def test_a_reason_is_cut_between_characters(text: str, fits: int) -> None:
    assert fitting_reason(text) == text[:fits]


def test_a_token_of_the_payload_counts_alone() -> None:
    header = Headers({"authorization": "Bearer of-the-header"})
    assert presented({}, header) is header
    assert presented({"token": None, "authorization": None}, header) is header
    assert presented({"token": "t"}, header).raw == [(b"authorization", b"Bearer t")]
    both = {"Authorization": "Bearer a", "token": "a", "authorization": "Bearer b"}
    tokens = [b"Bearer b", b"Bearer a"]
    assert presented(both, header).raw == [(b"authorization", token) for token in tokens]


def test_pages_that_may_open_a_socket() -> None:
    """Those that may use the API; every page, if that was said, in development alone."""
    ours = ("https://shop.example", "*")
    always = {"https://servicewechat.com", "https://shop.example"}
    assert allowed_origins(production_settings(cors_origins=ours)) == always
    assert allowed_origins(development_settings(cors_origins=ours)) == {*always, "*"}
