"""A process that types a sign-in code, for the races: `python -m tests.races.phoning`.

Arguments: database URL, key set's path, phone keys' path, phone, code, how often. All of it happens
at once; the last line of standard output is the answer as JSON, a list of `[member id, is new]` of
those who were let in.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import orjson

from domain import storage
from domain.access import AccessTokens, KeyRing
from domain.errors import SignInCodeInvalid
from domain.members import PhoneKeyFile, SignInWithPhone, sign_in_with_phone, use_phone_keys
from tests.domain.access.fixtures import ISSUER, NOW
from tests.races.contention import PATIENT


async def main(
    database: str, key_path: str, phone_keys: str, phone: str, code: str, often: str
) -> None:
    tokens = AccessTokens(KeyRing(Path(key_path), now=NOW), ISSUER)
    use_phone_keys(PhoneKeyFile(Path(phone_keys), now=NOW))
    await storage.connect(database, pool=PATIENT)
    command = SignInWithPhone(phone=phone, code=code)
    answers = await asyncio.gather(
        *(sign_in_with_phone(command, tokens=tokens, now=NOW) for _ in range(int(often))),
        return_exceptions=True,
    )
    await storage.close()
    let_in = []
    for answer in answers:
        if isinstance(answer, BaseException):
            assert isinstance(answer, SignInCodeInvalid), answer
        else:
            let_in.append([str(answer.member.id), answer.is_new_member])
    print(orjson.dumps(let_in).decode())


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
