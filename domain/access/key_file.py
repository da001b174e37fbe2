"""The file that keeps a key set."""

from __future__ import annotations

from pathlib import Path

from domain.access import secret_file
from domain.access.key_set import KeySet, KeySetInvalid, from_json, to_json
from domain.access.secret_file import exclusive, stamp

__all__ = ["exclusive", "read", "stamp", "write"]


def read(path: Path) -> KeySet:
    """The key set in the file; KeySetInvalid when it is missing, broken or open to others."""
    try:
        text = secret_file.read(path)
    except secret_file.SecretFileUnusable as unusable:
        raise KeySetInvalid(f"the key set {unusable}") from unusable
    try:
        return from_json(text)
    except KeySetInvalid as broken:
        raise KeySetInvalid(f"{path}: {broken}") from broken


def write(path: Path, keys: KeySet) -> None:
    """Replace the file in one step: a reader finds the old set or the new one, never a part."""
    secret_file.write(path, to_json(keys))
