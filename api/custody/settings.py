"""What members may have done with their own record, and where the files of it are kept."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from pydantic import BaseModel, Field, PositiveInt, SecretStr

from domain.custody import COOLING
from domain.files import ErasureJournal, FileStore
from domain.wechat import PushCipher


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


class PushSettings(BaseModel):
    """What the console of one mini-program shows under message push."""

    token: SecretStr
    aes_key: SecretStr | None = None
    """The EncodingAESKey, 43 characters; without it the plain mode, for development."""

    def problems(self, app_id: str) -> list[str]:
        """What does not fit."""
        found = []
        if not self.token.get_secret_value():
            found.append(f"JIFEN_WECHAT_PUSHES: the token of {app_id} is empty")
        if self.aes_key is not None:
            try:
                PushCipher(app_id=app_id, encoding_aes_key=self.aes_key.get_secret_value())
            except ValueError as wrong:
                found.append(f"JIFEN_WECHAT_PUSHES: {app_id}: {wrong}")
        return found
