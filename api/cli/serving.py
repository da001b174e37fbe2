"""Commands that serve: everything for a developer, or the fake WeChat alone.

What they serve with is imported by those who serve: any other command would wait 0.2 s for it.
"""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from typing import Annotated

import typer

from api.cli.session import failing_in_one_line, stop
from api.logs import configure_logs
from api.settings import read_settings

HOST = "127.0.0.1"


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    app.command("run")(run)
    app.command("serve")(serve)
    app.command("fake-wechat")(fake_wechat)


def run() -> None:
    """Migrate, seed the demo programme, serve the gateway and the fake WeChat."""
    import uvicorn

    from api.demo.announcement import announce
    from api.demo.preparation import prepare
    from api.fake_wechat import running_fake_wechat
    from api.stress.server import configuration

    settings = read_settings()
    if settings.is_production:
        stop("`run` is for development; in production use `serve`")
    if settings.port == settings.fake_wechat_port:
        stop(f"PORT and FAKE_WECHAT_PORT are both {settings.port}; they need two ports")
    for name, port in (("PORT", settings.port), ("FAKE_WECHAT_PORT", settings.fake_wechat_port)):
        if is_busy(port):
            stop(f"port {port} is in use; choose another: {name}={port + 100} make run")
    apps = {app: secret.get_secret_value() for app, secret in settings.wechat_apps.items()}
    with running_fake_wechat(apps, port=settings.fake_wechat_port):
        with failing_in_one_line():
            demo = asyncio.run(prepare(settings))
        announce(demo, settings)
        config = configuration(settings, workers=1)
        # Ctrl-C is how it ends: uvicorn has closed everything by the time it passes it on.
        with suppress(KeyboardInterrupt):
            uvicorn.Server(config).run()


def serve() -> None:
    """Serve the gateway alone, with JIFEN_WORKERS processes: in production too."""
    from api.stress.server import serve as serve_gateway

    settings = read_settings()
    # With several workers this process only watches over them, and tells of them.
    configure_logs(production=settings.is_production, level=settings.log_level)
    serve_gateway(settings)


def fake_wechat(
    port: Annotated[int | None, typer.Option(help="[default: FAKE_WECHAT_PORT or 8001]")] = None,
) -> None:
    """Serve the fake WeChat alone."""
    from api.fake_wechat import serve as serve_fake_wechat

    settings = read_settings()
    apps = {app: secret.get_secret_value() for app, secret in settings.wechat_apps.items()}
    serve_fake_wechat(host=HOST, port=port or settings.fake_wechat_port, apps=apps)


def is_busy(port: int) -> bool:
    """Whether something listens on the port already."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return True
        return False
