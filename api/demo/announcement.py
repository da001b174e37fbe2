"""What `make run` prints: what to open, and what to paste."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.rule import Rule

from api.settings import Settings

_SIGN_IN = """\
CODE=$(curl -s {fake}/_fake/login -H 'content-type: application/json' \\
  -d '{{"appId":"{app}","openid":"my-openid"}}' | sed 's/.*"code": *"\\([^"]*\\)".*/\\1/')
QUERY='mutation($input:SignInWithWeChatInput!){{signInWithWeChat(input:$input){{'\\
'session{{accessToken refreshToken isNewMember}} userErrors{{code message}}}}}}'
curl -s {graphql} -H 'content-type: application/json' \\
  -d '{{"query":"'"$QUERY"'","variables":{{"input":{{"appId":"{app}","code":"'$CODE'"}}}}}}'"""

_HOME = """\
TOKEN=$(sed -n 's/.*"memberToken": "\\([^"]*\\)".*/\\1/p' var/demo.json)
QUERY='{{me{{nickname tier{{level{{name}} progress{{pointsToNext}}}} points{{available pending}} '\\
'ledger(first:3){{nodes{{kind amount balanceAfter occurredAt}}}}}}}}'
curl -s {graphql} -H 'content-type: application/json' -H "authorization: Bearer $TOKEN" \\
  -d '{{"query":"'"$QUERY"'"}}'"""


def announce(demo: Mapping[str, Any], settings: Settings) -> None:
    """Print it, in colour on a terminal."""
    console = Console(highlight=False)
    texts = {
        "fake": demo["fakeWechatUrl"],
        "graphql": demo["graphqlUrl"],
        "app": demo["appId"],
    }
    base = str(demo["graphqlUrl"]).removesuffix("/graphql")
    console.print(Rule("[bold green]Jifen · 积分[/]", style="green"))
    for what, where in (
        ("GraphiQL, in a browser 浏览器打开", demo["graphqlUrl"]),
        ("The schema 模式定义", f"{base}/schema.graphql"),
        ("The fake WeChat 模拟微信", demo["fakeWechatUrl"]),
        ("Tokens and ids 令牌与编号", "var/demo.json"),
        ("Database 数据库", _without_password(settings.database_url)),
    ):
        console.print(f"  [bold]{what}[/]  [cyan]{where}[/]")
    for title, text in (
        ("Sign in as a mini-program would 像小程序一样登录", _SIGN_IN),
        ("The home page of a member 会员首页", _HOME),
    ):
        console.print(f"\n  [bold]{title}[/]")
        console.print(text.format(**texts), style="yellow", markup=False, soft_wrap=True)
    console.print("\n  [dim]Ctrl-C ends it; make clean removes the data. Ctrl-C 结束[/]")
    console.print(Rule(style="green"))


def _without_password(url: str) -> str:
    head, at, tail = url.rpartition("@")
    return f"{head.split('://')[0]}://…@{tail}" if at else url
