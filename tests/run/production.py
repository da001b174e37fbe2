"""The gateway as production runs it: closed, over PostgreSQL and Redis, with the demo's people.

`make run` seeds the database under the issuer that production will have, and is ended. So the
tokens that it wrote are good for the production server, which takes its keys.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import orjson

from tests.run.running import MakeRun, free_ports

ISSUER: Final = "https://jifen.example"
APP_ID: Final = "wxconformance00001"


def seed_for_production(folder: Path, database_url: str) -> dict[str, Any]:
    """Fill the database with the demo programme; returns what `var/demo.json` says."""
    run = MakeRun(folder, DATABASE_URL=database_url, JIFEN_ISSUER=ISSUER)
    try:
        run.until_ready()
        demo = run.demo()
        assert run.interrupt().status == 0
    finally:
        run.close()
    return demo


def production(folder: Path, *, database_url: str, redis_url: str, **environment: str) -> MakeRun:
    """A production server over what `seed_for_production` made in the folder."""
    port, other = free_ports()
    uvicorn = ("-m", "uvicorn", "gateway:app", "--host", "127.0.0.1", "--port", str(port))
    closed = {
        "JIFEN_ENVIRONMENT": "production",
        "JIFEN_ISSUER": ISSUER,
        "JIFEN_KEY_SET_PATH": str(folder / "var" / "keys.json"),
        # Nobody signs in with WeChat here, so nothing listens there.
        "JIFEN_WECHAT_BASE_URL": "https://127.0.0.1:1",
        "JIFEN_WECHAT_APPS": orjson.dumps({APP_ID: "a-secret-of-these-tests"}).decode(),
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
    }
    return MakeRun(
        folder,
        ports=(port, other),
        command=(*uvicorn, "--no-access-log"),
        **(closed | environment),
    )
