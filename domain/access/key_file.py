"""The file that keeps a key set."""

from __future__ import annotations

from pathlib import Path

from domain.access.key_set import KeySet, KeySetInvalid, from_json, to_json
from domain.access.secret_file import SecretFileUnusable, read_secret, write_secret


def read(path: Path) -> KeySet:
    """The key set in the file; KeySetInvalid when it is missing, broken or open to others."""
    try:
        text = read_secret(path)
    except SecretFileUnusable as unusable:
        raise KeySetInvalid(f"the key set {unusable}") from unusable
    try:
        return from_json(text)
    except KeySetInvalid as broken:
        raise KeySetInvalid(f"{path}: {broken}") from broken


def write(path: Path, keys: KeySet) -> None:
    """Replace the file in one step: a reader finds the old set or the new one, never a part."""
    write_secret(path, to_json(keys))
