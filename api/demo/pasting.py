"""What a developer pastes into a shell to sign in and to see a home page: curl and sed, no more."""

from __future__ import annotations

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


def sign_in_command(*, fake_wechat_url: str, graphql_url: str, app_id: str) -> str:
    """Gets a code of the fake WeChat and exchanges it for a session."""
    return _SIGN_IN.format(fake=fake_wechat_url, graphql=graphql_url, app=app_id)


def home_command(*, graphql_url: str) -> str:
    """Asks for the home page of the demo's first member, with the token of `var/demo.json`."""
    return _HOME.format(graphql=graphql_url)
