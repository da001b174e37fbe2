"""What members may have done with their own record, and where the files of it are kept."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from pydantic import BaseModel, Field, PositiveInt

from domain.custody import COOLING
from domain.files import ErasureJournal, FileStore


class CustodySettings(BaseModel):
    """Exports, deletions and erasures."""

    cooling_days: int = Field(default=COOLING.days, ge=0, le=60)
    """For how long a member may take the deletion of their account back."""

    files_path: Path = Path("var/files")
    """The folder of the files that members fetch; all processes must see the same."""

    erasures_path: Path = Path("var/erasures.jsonl")
    """The journal of erasures. It is kept apart from the backups of the database, which it
    corrects."""

    write_exports_every_s: PositiveInt = 5
    erase_every_s: PositiveInt = 3_600

    @property
    def cooling(self) -> timedelta:
        """The cooling period."""
        return timedelta(days=self.cooling_days)

    @property
    def files(self) -> FileStore:
        """The store of files."""
        return FileStore(self.files_path)

    @property
    def journal(self) -> ErasureJournal:
        """The journal of erasures."""
        return ErasureJournal(self.erasures_path)
