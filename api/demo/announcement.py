"""What `make run` prints: what to open, and what to paste."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.rule import Rule

from api.demo.pasting import home_command, sign_in_command
from api.settings import Settings


def announce(demo: Mapping[str, Any], settings: Settings) -> None:
    """Print it, in colour on a terminal."""
    console = Console(highlight=False)
    sign_in = sign_in_command(
        fake_wechat_url=demo["fakeWechatUrl"],
        graphql_url=demo["graphqlUrl"],
        app_id=demo["appId"],
    )
    base = str(demo["graphqlUrl"]).removesuffix("/graphql")
    console.print(Rule("[bold green]Jifen · 积分[/]", style="green"))
    for what, where in (
        ("Start here, in a browser 浏览器打开", f"{base}/"),
        ("GraphiQL", demo["graphqlUrl"]),
        ("The schema 模式定义", f"{base}/schema.graphql"),
        ("The fake WeChat 模拟微信", demo["fakeWechatUrl"]),
        ("Tokens and ids 令牌与编号", "var/demo.json"),
        ("Database 数据库", _without_password(settings.database_url)),
    ):
        console.print(f"  [bold]{what}[/]  [cyan]{where}[/]")
    for title, text in (
        ("Sign in as a mini-program would 像小程序一样登录", sign_in),
        ("The home page of a member 会员首页", home_command(graphql_url=demo["graphqlUrl"])),
    ):
        console.print(f"\n  [bold]{title}[/]")
        console.print(text, style="yellow", markup=False, soft_wrap=True)
    console.print("\n  [dim]Ctrl-C ends it; make clean removes the data. Ctrl-C 结束[/]")
    console.print(Rule(style="green"))


def _without_password(url: str) -> str:
    head, at, tail = url.rpartition("@")
    return f"{head.split('://')[0]}://…@{tail}" if at else url
