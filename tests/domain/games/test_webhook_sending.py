"""Where a webhook goes: to the address that was checked, under the name that was asked for."""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from domain.games import SendingRules, WebhookClient
from domain.games.webhooks import sending
from domain.games.webhooks.addresses import resolve
from domain.games.webhooks.sending import Answer, SendError
from tests.domain.games.webhook_receiver import HANG, Hook, running_hook

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
NAME = "hooks.partner.example"
IN_OTHER_LETTERS = "xn--n3h.example"
"""☃.example: a name in use, which the newer rules for names do not read."""
BRIEF = SendingRules(timeout_s=1.0, answer_s=0.3)
OPEN = SendingRules(is_open=True, timeout_s=0.3, answer_s=0.3)


class Names:
    """A name server: gives its answers one after the other, the last one again and again."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = [*answers]
        self.asked: list[str] = []

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for both names, with its key, that nobody but these tests trusts."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime.now(UTC) - timedelta(days=1))
        .not_valid_after(datetime.now(UTC) + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName(one) for one in (NAME, IN_OTHER_LETTERS)]),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "hook.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture
def tls_hook(certificate: Path) -> Iterator[Hook]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with running_hook(tls=context) as hook:
        yield hook


@pytest.fixture
def trusting(certificate: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=certificate)


@pytest.fixture
def one_is_public(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if 127.0.0.1 were an address of the open network, and the rest of its network were not."""
    monkeypatch.setattr(sending, "is_public", lambda one: one == "127.0.0.1")


async def post(client: WebhookClient, url: str) -> Answer:
    return await client.post(url, b"{}", {"webhook-id": "msg_1"}, now=NOW)


@pytest.mark.usefixtures("one_is_public")
async def test_a_name_that_changes_its_mind_leads_nowhere_else(
    tls_hook: Hook, trusting: ssl.SSLContext, certificate: Path
) -> None:
    inner_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    inner_tls.load_cert_chain(certificate)
    names = Names(["127.0.0.1"], ["127.0.0.2"])
    client = WebhookClient(BRIEF, resolve=names.resolve, tls=trusting)
    url = f"https://{NAME}:{tls_hook.port}/hook?a=b"
    with running_hook(host="127.0.0.2", port=tls_hook.port, tls=inner_tls) as inner:
        # Asked once, it is what was checked that is connected to; the name stands where it must.
        assert await post(client, url) == Answer(status=204)
        assert names.asked == [NAME]
        assert tls_hook.server_names == [NAME]
        assert tls_hook.told[0].headers["host"] == f"{NAME}:{tls_hook.port}"
        # The second time the name leads inside, and nobody is spoken to.
        assert await post(client, url) == Answer(error=SendError.FORBIDDEN_ADDRESS)
        assert (len(tls_hook.told), inner.told, inner.server_names) == (1, [], [])


@pytest.mark.usefixtures("one_is_public")
async def test_one_inner_address_among_open_ones_is_one_too_many(
    tls_hook: Hook, trusting: ssl.SSLContext
) -> None:
    names = Names(["127.0.0.1", "127.0.0.2"])
    client = WebhookClient(BRIEF, resolve=names.resolve, tls=trusting)
    answer = await post(client, f"https://{NAME}:{tls_hook.port}/hook")
    assert answer == Answer(error=SendError.FORBIDDEN_ADDRESS)
    assert tls_hook.told == []


@pytest.mark.usefixtures("one_is_public")
async def test_the_certificate_must_be_that_of_the_name(
    tls_hook: Hook, trusting: ssl.SSLContext
) -> None:
    names = Names(["127.0.0.1"])
    client = WebhookClient(BRIEF, resolve=names.resolve, tls=trusting)
    other = await post(client, f"https://other.example:{tls_hook.port}/hook")
    unknown = await post(
        WebhookClient(BRIEF, resolve=names.resolve), f"https://{NAME}:{tls_hook.port}/hook"
    )
    assert [other, unknown] == [Answer(error=SendError.TLS)] * 2
    assert tls_hook.told == []


@pytest.mark.usefixtures("one_is_public")
async def test_a_name_in_other_letters_is_asked_for_as_it_was_entered(
    tls_hook: Hook, trusting: ssl.SSLContext
) -> None:
    names = Names(["127.0.0.1"])
    client = WebhookClient(BRIEF, resolve=names.resolve, tls=trusting)
    answer = await post(client, f"https://{IN_OTHER_LETTERS}:{tls_hook.port}/hook")
    assert answer == Answer(status=204)
    assert names.asked == tls_hook.server_names == [IN_OTHER_LETTERS]


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("http://93.184.216.34/hook", SendError.NOT_HTTPS),
        ("https://127.0.0.1/hook", SendError.FORBIDDEN_ADDRESS),
        ("https://[::1]/hook", SendError.FORBIDDEN_ADDRESS),
        ("https://[::ffff:10.0.0.1]/hook", SendError.FORBIDDEN_ADDRESS),
        ("https://169.254.169.254/latest", SendError.FORBIDDEN_ADDRESS),
        ("https://2130706433/hook", SendError.FORBIDDEN_ADDRESS),
        ("https://0x7f.1/hook", SendError.FORBIDDEN_ADDRESS),
        ("https://localhost/hook", SendError.FORBIDDEN_ADDRESS),
    ],
)
async def test_in_production_it_goes_to_the_open_network_only_with_tls(
    url: str, error: SendError
) -> None:
    assert await post(WebhookClient(BRIEF), url) == Answer(error=error)


async def test_names_are_resolved_as_the_machine_does() -> None:
    found = await resolve("localhost", 80)
    assert found
    assert all(ip_address(one).is_loopback for one in found)


async def test_a_name_without_an_address_is_told_as_such() -> None:
    async def fails(host: str, port: int) -> Sequence[str]:
        raise OSError

    async def finds_none(host: str, port: int) -> Sequence[str]:
        return []

    for resolver in (fails, finds_none):
        client = WebhookClient(OPEN, resolve=resolver)
        assert await post(client, f"http://{NAME}/hook") == Answer(error=SendError.UNRESOLVED)


async def test_the_next_address_is_tried_where_one_cannot_be_reached() -> None:
    with running_hook() as hook:
        names = Names(["127.0.0.3", "127.0.0.1"])
        client = WebhookClient(OPEN, resolve=names.resolve)
        assert await post(client, f"http://{NAME}:{hook.port}/hook") == Answer(status=204)
        assert len(hook.told) == 1


async def test_an_answer_without_an_end_is_let_go() -> None:
    with running_hook() as hook:
        hook.endless, hook.usual = True, 200
        client = WebhookClient(SendingRules(is_open=True, timeout_s=10.0, answer_s=10.0))
        began = datetime.now(UTC)
        assert await post(client, hook.url) == Answer(status=200)
        assert datetime.now(UTC) - began < timedelta(seconds=5)


@pytest.mark.parametrize("host", [".example", "010.0.0.1", "1.2.3.256", "[v1.x]"])
async def test_what_is_no_name_of_a_host_is_told_and_no_more(host: str) -> None:
    names = Names(["127.0.0.1"])
    client = WebhookClient(OPEN, resolve=names.resolve)
    with running_hook() as hook:
        url = f"https://{host}:{hook.port}/hook"
        assert await post(client, url) == Answer(error=SendError.PROTOCOL)


async def test_a_redirect_is_not_followed() -> None:
    with running_hook() as hook, running_hook() as elsewhere:
        hook.will_answer(307, {"location": elsewhere.url})
        client = WebhookClient(OPEN)
        answer = await post(client, hook.url)
        assert answer == Answer(status=307, error=SendError.REDIRECT)
        assert elsewhere.told == []


@pytest.mark.soak
async def test_attempts_end_in_time(full_form: bool) -> None:
    """By default after 15 seconds; the long form waits for them."""
    assert SendingRules().timeout_s == 15.0
    rules = SendingRules(is_open=True, timeout_s=15.0 if full_form else 0.2)
    with running_hook() as hook:
        hook.will_answer(HANG)
        began = datetime.now(UTC)
        assert await post(WebhookClient(rules), hook.url) == Answer(error=SendError.TIMEOUT)
        took_s = (datetime.now(UTC) - began).total_seconds()
        assert rules.timeout_s <= took_s < rules.timeout_s + 2
        assert len(hook.told) == 1


class AsksTwice(WebhookClient):
    """A planted bug: it connects to what the name leads to by now, not to what was checked."""

    async def _post_to(self, address: str, url: str, *rest: Any, **more: Any) -> Answer:
        [again] = await self._resolve("", 0)
        return await super()._post_to(again, url, *rest, **more)


@pytest.mark.usefixtures("one_is_public")
async def test_a_client_that_asks_twice_would_be_seen(
    tls_hook: Hook, trusting: ssl.SSLContext, certificate: Path
) -> None:
    inner_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    inner_tls.load_cert_chain(certificate)
    client = AsksTwice(BRIEF, resolve=Names(["127.0.0.1"], ["127.0.0.2"]).resolve, tls=trusting)
    with running_hook(host="127.0.0.2", port=tls_hook.port, tls=inner_tls) as inner:
        await post(client, f"https://{NAME}:{tls_hook.port}/hook")
        assert (len(tls_hook.told), len(inner.told)) == (0, 1)
