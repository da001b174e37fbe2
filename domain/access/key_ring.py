"""The key ring of a process: the key set's file, read again whenever it changes."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from domain.access import key_file
from domain.access.key_set import (
    Key,
    KeyLifetimes,
    KeySet,
    KeySetInvalid,
    KeyState,
    Rotation,
    first_key_set,
    new_key,
    public_jwk,
    rotated,
)
from domain.access.secret_file import secret_lock, secret_stamp

_log = structlog.get_logger(__name__)


class KeyRing:
    """The keys that sign and verify access tokens, kept in one file that all workers read.

    The file is asked for changes on every use (a `stat`, about 2 µs), so a rotation by any process
    reaches every running worker at once. A file that breaks while a worker runs is reported and the
    last good set stays in force. With `create_missing`, for development, a missing file is made;
    without it a missing file raises KeySetInvalid.
    """

    def __init__(
        self,
        path: Path,
        *,
        now: datetime,
        create_missing: bool = False,
        lifetimes: KeyLifetimes | None = None,
    ) -> None:
        self.path = path
        self.lifetimes = lifetimes or KeyLifetimes()
        self.generation = 0
        """Counts the key sets that were in force here; a new one may have dropped a key."""
        if create_missing:
            create_key_set(path, now=now)
        self._seen = secret_stamp(path)
        self._take(key_file.read(path))

    def signing_key(self) -> Key:
        """The one key that signs now."""
        self.refresh()
        return self._signing

    def verifying_key(self, kid: str, *, now: datetime) -> Ed25519PublicKey | None:
        """The public key named `kid`, if signatures of it count now."""
        self.refresh()
        key = self._by_kid.get(kid)
        return key.public if key is not None and key.verifies(now, self.lifetimes) else None

    def jwks(self) -> dict[str, list[dict[str, str]]]:
        """The public keys, published and retired ones included, as a JWK set (RFC 7517)."""
        self.refresh()
        return {"keys": [public_jwk(key) for key in self._keys]}

    def rotate(self, now: datetime) -> Rotation:
        """Take the next step of a rotation; run it twice, `KeyLifetimes.lead` apart, for a whole.

        The first step publishes a new key. The second makes it sign and retires the one before it,
        whose tokens stay good until they expire.
        """
        with secret_lock(self.path):
            before = key_file.read(self.path)
            after, step = rotated(
                before, fresh=lambda: new_key(now), now=now, lifetimes=self.lifetimes
            )
            if after != before:
                key_file.write(self.path, after)
        self.refresh()
        return step

    def refresh(self) -> None:
        """Read the file again if it changed since it was last read."""
        seen = secret_stamp(self.path)
        if seen == self._seen:
            return
        self._seen = seen
        try:
            self._take(key_file.read(self.path))
        except KeySetInvalid as broken:
            _log.error("key_set_not_reloaded", reason=str(broken))

    def _take(self, keys: KeySet) -> None:
        self._keys = keys
        self._by_kid = {key.kid: key for key in keys}
        self._signing = next(key for key in keys if key.state is KeyState.SIGNING)
        self.generation += 1


def create_key_set(path: Path, *, now: datetime) -> bool:
    """Make a key set with one signing key if the file is missing; returns whether it was.

    Several processes may call it at once: one makes the file, the others find it.
    """
    if path.exists():
        return False
    with secret_lock(path):
        if path.exists():
            return False
        key_file.write(path, first_key_set(new_key(now), now))
        return True
