"""WeChat's server side: identities, phone numbers, text checks, messages, codes and pushes.

One asynchronous client (`WeChatClient`) for the calls, and pure functions for what the mini-program
or WeChat's own servers hand to us encrypted or signed. For development and tests the same calls are
served on loopback by the fake of `api.fake_wechat`.
"""

from domain.wechat.client import (
    SCENE_CHARACTERS_MAX,
    TEXT_CHARACTERS_MAX,
    WECHAT_BASE_URL,
    WeChatClient,
)
from domain.wechat.credentials import AppSecret, SessionKey
from domain.wechat.errcodes import Errcode, WeChatFault
from domain.wechat.limits import WeChatLimits
from domain.wechat.open_data import (
    OpenDataFault,
    OpenDataInvalid,
    decrypt_open_data,
    is_raw_data_signed,
    raw_data_signature,
)
from domain.wechat.push import PushCipher, PushInvalid, is_push_signed, push_signature
from domain.wechat.values import (
    MessageLanguage,
    OpenId,
    ProgramVersion,
    SubscribeOutcome,
    SubscribeResult,
    TextScene,
    TextSuggestion,
    TextVerdict,
    UnionId,
    WeChatPhone,
    WeChatSession,
)

__all__ = [
    "SCENE_CHARACTERS_MAX",
    "TEXT_CHARACTERS_MAX",
    "WECHAT_BASE_URL",
    "AppSecret",
    "Errcode",
    "MessageLanguage",
    "OpenDataFault",
    "OpenDataInvalid",
    "OpenId",
    "ProgramVersion",
    "PushCipher",
    "PushInvalid",
    "SessionKey",
    "SubscribeOutcome",
    "SubscribeResult",
    "TextScene",
    "TextSuggestion",
    "TextVerdict",
    "UnionId",
    "WeChatClient",
    "WeChatFault",
    "WeChatLimits",
    "WeChatPhone",
    "WeChatSession",
    "decrypt_open_data",
    "is_push_signed",
    "is_raw_data_signed",
    "push_signature",
    "raw_data_signature",
]
