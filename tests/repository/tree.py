"""The files of the repository, as the guards read them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]

_NOT_OURS = frozenset(
    {".git", ".hypothesis", ".venv", "__pycache__", "node_modules", "var", "vendor"}
)


def texts(root: Path) -> Iterator[tuple[Path, str]]:
    """Every text file, in order: its path under the root and its text.

    Caches, data, installed and vendored code are not ours; what is not UTF-8 is not text.
    """
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(
            name for name in folders if name not in _NOT_OURS and not name.endswith("_cache")
        )
        for name in sorted(files):
            path = Path(folder) / name
            try:
                yield path.relative_to(root), path.read_bytes().decode()
            except (UnicodeDecodeError, FileNotFoundError):
                continue
