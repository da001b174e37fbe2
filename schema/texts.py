"""What refusals say to people, in both languages: one row per code, held complete by a test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from domain.errors import ErrorCode


@dataclass(frozen=True, slots=True)
class Text:
    """One message in both languages; `{refusal.x}` stands for the fact x of the refusal."""

    zh: str
    en: str


TEXTS: Final[dict[ErrorCode, Text]] = {
    ErrorCode.INVALID_INPUT: Text(
        zh="填写的内容不符合要求", en="The input is not valid: {refusal.rule}"
    ),
    ErrorCode.MEMBER_NOT_FOUND: Text(zh="没有找到该会员", en="There is no such member"),
    ErrorCode.IDEMPOTENCY_CONFLICT: Text(
        zh="该幂等键已用于内容不同的请求", en="This idempotency key was used with another input"
    ),
    ErrorCode.INSUFFICIENT_POINTS: Text(
        zh="积分不足：需要 {refusal.requested}，可用 {refusal.available}",
        en="Not enough points: {refusal.requested} needed, {refusal.available} available",
    ),
    ErrorCode.POINTS_OUT_OF_RANGE: Text(
        zh="积分数量超出允许范围", en="The number of points is out of range"
    ),
    ErrorCode.ACCOUNT_FROZEN: Text(
        zh="积分账户正在核查，暂时不能使用积分",
        en="The points account is being checked; nothing can be spent from it for now",
    ),
    ErrorCode.HOLD_NOT_OPEN: Text(
        zh="该积分冻结不存在、已使用、已释放或已过期",
        en="There is no such hold, or it was captured, released or has run out",
    ),
    ErrorCode.HOLD_EXISTS: Text(
        zh="该单号 {refusal.reference} 已有 {refusal.points} 积分的冻结",
        en="{refusal.points} points are set aside for {refusal.reference} already",
    ),
    ErrorCode.TRANSFER_LIMIT_EXCEEDED: Text(
        zh="超过每日转赠上限：今日已用 {refusal.used}，上限 {refusal.limit}（{refusal.unit}）",
        en="Today's limit is {refusal.limit}, used are {refusal.used} ({refusal.unit})",
    ),
    ErrorCode.ENTRY_NOT_REVERSIBLE: Text(
        zh="该积分记录不存在或不能撤销", en="There is no such entry, or it cannot be undone"
    ),
    ErrorCode.REVERSAL_EXCEEDS: Text(
        zh="可撤销的积分不足：剩余 {refusal.left}，请求 {refusal.requested}",
        en="No more than {refusal.left} is left to undo, {refusal.requested} was asked",
    ),
    ErrorCode.REVERSED_BEFORE: Text(
        zh="同一单据已经撤销过该积分记录", en="The same cause undid this entry before"
    ),
    ErrorCode.TICKET_UNKNOWN: Text(zh="没有找到该工单", en="There is no such ticket"),
    ErrorCode.TICKET_NOT_OPEN: Text(
        zh="工单当前状态（{refusal.state}）不允许该操作",
        en="The ticket is {refusal.state}, so this cannot be done",
    ),
    ErrorCode.TICKETS_NOT_MERGEABLE: Text(
        zh="只能合并同一会员的两个不同工单",
        en="Only two different tickets of one member can be merged",
    ),
    ErrorCode.TOPIC_UNKNOWN: Text(zh="没有该反馈主题", en="There is no such topic"),
    ErrorCode.CAUSE_UNKNOWN: Text(zh="没有该原因分类", en="There is no such cause of this topic"),
    ErrorCode.TICKET_ORDER_UNKNOWN: Text(zh="没有找到您的这笔订单", en="You have no such order"),
    ErrorCode.PERSONALIZATION_OFF: Text(
        zh="请先开启个性化推荐",
        en="Personal recommendations are switched off; switch them on first",
    ),
    ErrorCode.TOO_MANY_OPEN_TICKETS: Text(
        zh="您已有 {refusal.limit} 个处理中的反馈，请在其中继续说明",
        en="{refusal.limit} of your tickets are open: say more in one of them",
    ),
    ErrorCode.ASSIGNEE_UNKNOWN: Text(
        zh="没有该客服人员", en="Nobody with this login serves members"
    ),
    ErrorCode.ADJUSTMENT_UNKNOWN: Text(zh="没有找到该积分调整", en="There is no such adjustment"),
    ErrorCode.APPROVAL_BY_REQUESTER: Text(
        zh="积分调整须由申请人以外的同事审批",
        en="Somebody other than who asked for the adjustment has to approve it",
    ),
    ErrorCode.ADJUSTMENT_NOT_PENDING: Text(
        zh="该积分调整已经生效", en="The adjustment took effect already"
    ),
    ErrorCode.AMOUNT_INVALID: Text(zh="数额超出允许范围", en="The amount is out of range"),
    ErrorCode.QUANTITY_INVALID: Text(zh="数量超出允许范围", en="The quantity is out of range"),
    ErrorCode.FUTURE_DATED: Text(zh="发生时间晚于当前时间", en="The moment lies in the future"),
    ErrorCode.CURRENCY_MISMATCH: Text(
        zh="币种不符：收到 {refusal.currency}，应为 {refusal.expected}",
        en="The currency is {refusal.currency}, but the programme's is {refusal.expected}",
    ),
    ErrorCode.TEXT_INVALID: Text(
        zh="文字不符合要求：{refusal.rule}", en="The text is not valid: {refusal.rule}"
    ),
    ErrorCode.LINES_INVALID: Text(
        zh="订单明细不符合要求：{refusal.rule}", en="The order lines are not valid: {refusal.rule}"
    ),
    ErrorCode.ORDER_UNKNOWN: Text(zh="没有找到该订单", en="There is no such order"),
    ErrorCode.REFUND_EXCEEDS: Text(
        zh="退款超过订单剩余金额：剩余 {refusal.left_fen} 分",
        en="More than is left of what was paid: {refusal.left_fen} fen are left",
    ),
    ErrorCode.REFUND_LINE_UNKNOWN: Text(
        zh="订单没有该明细行", en="The order has no line of this id"
    ),
    ErrorCode.REFUND_LINE_EXCEEDS: Text(
        zh="退款超过该明细行：剩余 {refusal.left_quantity} 件、{refusal.left_fen} 分",
        en="Of the line {refusal.left_quantity} pieces and {refusal.left_fen} fen are left",
    ),
    ErrorCode.REFUND_BEFORE_ORDER: Text(
        zh="退款时间早于下单时间", en="The money was given back before the order was placed"
    ),
    ErrorCode.NOTIFICATION_UNKNOWN: Text(zh="没有找到该消息", en="There is no such notification"),
    ErrorCode.ATTACHMENT_UNKNOWN: Text(
        zh="图片不存在、已过期或已随其他消息发送，请重新上传",
        en="There is no such file, or it went with another message: upload it anew",
    ),
    ErrorCode.MESSAGE_NOT_HELD: Text(
        zh="该消息不存在，或无需审核", en="There is no such message, or it waits for no decision"
    ),
    ErrorCode.EXPORT_LIMIT_REACHED: Text(
        zh="一天内最多导出 {refusal.limit} 次个人数据，请稍后再试",
        en="Your data can be exported {refusal.limit} times a day; try again later",
    ),
    ErrorCode.ACCOUNT_UNKNOWN: Text(zh="账号不存在或已停用", en="There is no such account"),
    ErrorCode.CODE_TAKEN: Text(zh="该代码已被其他账号使用", en="Another account has this code"),
    ErrorCode.SCOPE_NOT_GRANTED: Text(
        zh="该账号没有所申请的权限", en="The account does not hold the scopes it asks for"
    ),
    ErrorCode.REWARD_UNKNOWN: Text(zh="没有找到该奖励", en="There is no such reward"),
    ErrorCode.REWARD_CLOSED: Text(
        zh="该奖励不在可兑换时间内", en="The reward cannot be redeemed at this time"
    ),
    ErrorCode.OUT_OF_STOCK: Text(
        zh="库存不足：剩余 {refusal.left}", en="Out of stock: {refusal.left} left"
    ),
    ErrorCode.LEVEL_TOO_LOW: Text(
        zh="该奖励仅限更高等级的会员兑换",
        en="The reward is for members of a higher level",
    ),
    ErrorCode.REWARD_LIMIT_REACHED: Text(
        zh="超过每人限兑数量：限 {refusal.limit}，已兑 {refusal.taken}",
        en="One member may have {refusal.limit} of it, {refusal.taken} were redeemed",
    ),
    ErrorCode.REWARD_EXISTS: Text(
        zh="该奖励代码已被使用：{refusal.reward}",
        en="Another reward has the code {refusal.reward}",
    ),
    ErrorCode.REWARD_CHANGED: Text(
        zh="该奖励已被他人修改，当前版本为 {refusal.version}",
        en="Somebody changed the reward meanwhile; it is at version {refusal.version}",
    ),
    ErrorCode.ADDRESS_UNKNOWN: Text(zh="没有找到该地址", en="There is no such address"),
    ErrorCode.ADDRESS_LIMIT_REACHED: Text(
        zh="最多保存 {refusal.limit} 个地址", en="One may keep at most {refusal.limit} addresses"
    ),
    ErrorCode.REDEMPTION_UNKNOWN: Text(zh="没有找到该兑换", en="There is no such redemption"),
    ErrorCode.REDEMPTION_NOT_CANCELLABLE: Text(
        zh="该兑换不能取消（{refusal.state}）",
        en="The redemption cannot be cancelled ({refusal.state})",
    ),
    ErrorCode.REDEMPTION_NOT_OPEN: Text(
        zh="该兑换当前状态不能执行此操作（{refusal.state}）",
        en="This cannot be done to the redemption now ({refusal.state})",
    ),
    ErrorCode.COUPON_UNKNOWN: Text(zh="没有找到该优惠券", en="There is no such coupon"),
    ErrorCode.COUPON_EXPIRED: Text(zh="该优惠券已过期", en="The coupon has expired"),
    ErrorCode.COUPON_USED: Text(zh="该优惠券已使用", en="The coupon was used"),
    ErrorCode.COUPON_REVOKED: Text(zh="该优惠券已作废", en="The coupon was taken back"),
    ErrorCode.COUPON_RESERVED: Text(
        zh="该优惠券已被其他订单占用", en="Another order has reserved the coupon"
    ),
    ErrorCode.COUPON_NOT_RESERVED: Text(
        zh="该订单没有占用该优惠券，或占用已超时",
        en="The order has not reserved the coupon, or not in time",
    ),
    ErrorCode.COUPON_BELOW_MINIMUM: Text(
        zh="订单金额未达到优惠券的使用门槛", en="The order's amount is too small for the coupon"
    ),
    ErrorCode.COUPON_NOT_STACKABLE: Text(
        zh="该订单已有不可叠加的优惠券", en="The order has a coupon that goes with no other"
    ),
    ErrorCode.DEFINITION_CHANGED: Text(
        zh="该设置已被他人修改，当前版本为 {refusal.version}",
        en="Somebody changed it meanwhile; it is at version {refusal.version}",
    ),
    ErrorCode.LEVEL_UNKNOWN: Text(zh="没有找到该等级", en="There is no such level"),
    ErrorCode.LEVEL_EXISTS: Text(
        zh="该等级代码已被使用：{refusal.level}", en="Another level has the code {refusal.level}"
    ),
    ErrorCode.LEVELS_OUT_OF_ORDER: Text(
        zh="等级 {refusal.level} 的要求须高于下一级 {refusal.below}",
        en="The level {refusal.level} must ask for more than {refusal.below} below it",
    ),
    ErrorCode.PERK_EXISTS: Text(
        zh="该等级已有代码为 {refusal.perk} 的权益",
        en="The level has another perk of the code {refusal.perk}",
    ),
    ErrorCode.PROGRAMME_FILE_INVALID: Text(
        zh="设置文件不符合要求", en="The file is not valid: its problems say where"
    ),
    ErrorCode.PERK_UNKNOWN: Text(zh="没有找到该权益", en="There is no such perk"),
    ErrorCode.PERK_HOLDS_BY_ITSELF: Text(
        zh="该权益自动生效，无需使用", en="This perk holds by itself; there is nothing to use"
    ),
    ErrorCode.PERK_NEEDS_BIRTHDAY: Text(
        zh="请先填写生日，再使用该权益", en="This perk is for birthdays: tell yours first"
    ),
    ErrorCode.PERK_QUOTA_USED: Text(
        zh="本期次数已用完", en="The perk was used as often as it may be for now"
    ),
    ErrorCode.LEVEL_GRANT_UNKNOWN: Text(
        zh="没有这项等级授予，或已结束",
        en="There is no such grant of a level, or it has ended",
    ),
    ErrorCode.PERK_USE_UNKNOWN: Text(
        zh="没有找到该权益使用记录", en="There is no such use of a perk"
    ),
    ErrorCode.PARTNER_UNKNOWN: Text(zh="没有找到该合作平台", en="There is no such partner"),
    ErrorCode.PARTNER_KEY_UNKNOWN: Text(
        zh="该合作平台没有这个密钥", en="The partner has no such key"
    ),
    ErrorCode.PARTNER_KEY_LIMIT_REACHED: Text(
        zh="每种密钥最多 {refusal.limit} 个，请先停用一个",
        en="A partner has at most {refusal.limit} keys of a kind: retire one first",
    ),
    ErrorCode.NOT_BOUND: Text(
        zh="会员未授权该合作平台", en="The member does not allow this partner"
    ),
    ErrorCode.CAMPAIGN_CLOSED: Text(
        zh="活动不存在或当时未开放", en="There is no such campaign, or it was not open then"
    ),
    ErrorCode.BUDGET_EXHAUSTED: Text(zh="活动预算不足", en="Less is left of the campaign's budget"),
    ErrorCode.CAP_REACHED: Text(zh="已达当日积分上限", en="The day's cap of points is reached"),
    ErrorCode.TOO_OLD: Text(
        zh="事件发生已超过 30 天", en="The event happened more than 30 days ago"
    ),
    ErrorCode.DISCLOSURE_UNKNOWN: Text(
        zh="不是该活动公示的奖品版本", en="The campaign has frozen another disclosure"
    ),
    ErrorCode.PRIZE_UNKNOWN: Text(
        zh="公示中没有该奖品", en="The disclosure has no prize of this code"
    ),
    ErrorCode.DISCLOSURE_FROZEN: Text(
        zh="活动已开始，奖品公示不可更改",
        en="The campaign has opened: its disclosure holds to the end",
    ),
    ErrorCode.GAME_CAMPAIGN_UNKNOWN: Text(
        zh="没有找到该互动活动", en="There is no such game campaign"
    ),
    ErrorCode.GAME_CAMPAIGN_EXISTS: Text(
        zh="该合作平台已有代码为 {refusal.campaign} 的活动",
        en="The partner has another campaign of the code {refusal.campaign}",
    ),
    ErrorCode.BUDGET_SPENT: Text(
        zh="预算不能低于已发放的 {refusal.spent} 积分",
        en="{refusal.spent} points of the budget are spent already",
    ),
    ErrorCode.CONSENT_REQUIRED: Text(
        zh="需先同意向该合作平台提供您的信息",
        en="The member has to agree to be known to the partner",
    ),
    ErrorCode.BIND_TOKEN_INVALID: Text(
        zh="绑定凭证无效、已使用或已过期", en="The bind token is not valid, was used or has expired"
    ),
    ErrorCode.APP_UNKNOWN: Text(
        zh="该小程序不属于本会员计划", en="This app does not belong to the programme"
    ),
    ErrorCode.WECHAT_CODE_INVALID: Text(
        zh="微信登录凭证无效或已过期，请重新登录",
        en="The WeChat login code is not valid or has expired; sign in again",
    ),
    ErrorCode.WECHAT_CODE_USED: Text(
        zh="微信登录凭证已被使用，请重新登录",
        en="The WeChat login code was used before; sign in again",
    ),
    ErrorCode.WECHAT_PHONE_CODE_INVALID: Text(
        zh="手机号授权已失效或已被使用，请重新点击授权手机号",
        en="The phone number was not confirmed, or that was too long ago; confirm it again",
    ),
    ErrorCode.WECHAT_RATE_LIMITED: Text(
        zh="登录过于频繁，请稍后再试", en="Too many sign-ins; try again later"
    ),
    ErrorCode.WECHAT_USER_BLOCKED: Text(
        zh="微信判定该账号存在风险，暂不能登录", en="WeChat blocks this account as high-risk"
    ),
    ErrorCode.WECHAT_UNAVAILABLE: Text(
        zh="微信服务繁忙，请稍后再试", en="WeChat is busy; try again later"
    ),
    ErrorCode.SIGN_IN_CODE_INVALID: Text(
        zh="验证码错误或已失效，请重新获取",
        en="The code is wrong or not good any more; ask for another",
    ),
    ErrorCode.SIGN_IN_CODE_TOO_SOON: Text(
        zh="验证码发送过于频繁，请稍后再试", en="Too many codes were sent; try again later"
    ),
    ErrorCode.SMS_UNAVAILABLE: Text(
        zh="短信服务暂不可用，请稍后再试", en="Text messages cannot be sent now; try again later"
    ),
    ErrorCode.EMAIL_CODE_INVALID: Text(
        zh="验证码错误或已失效，请重新获取",
        en="The code is wrong or not good any more; ask for another",
    ),
    ErrorCode.EMAIL_CODE_TOO_SOON: Text(
        zh="验证码发送过于频繁，请稍后再试", en="Too many codes were sent; try again later"
    ),
    ErrorCode.EMAIL_UNAVAILABLE: Text(
        zh="邮件服务暂不可用，请稍后再试", en="E-mail cannot be sent now; try again later"
    ),
    ErrorCode.EMAIL_REFUSED: Text(
        zh="该邮箱无法接收邮件，请更换邮箱", en="No mail can be sent to this address; try another"
    ),
    ErrorCode.PHONE_OF_ANOTHER: Text(
        zh="该手机号属于另一位会员，无法合并",
        en="The number belongs to another member, whose record cannot be joined",
    ),
    ErrorCode.REFRESH_TOKEN_INVALID: Text(
        zh="登录已失效，请重新登录", en="The session has ended; sign in again"
    ),
    ErrorCode.REFRESH_TOKEN_REUSED: Text(
        zh="登录凭证被重复使用，为保护账号请重新登录",
        en="The session was ended to protect the account; sign in again",
    ),
    ErrorCode.CONSENT_UNKNOWN: Text(
        zh="本会员计划没有这项授权：{refusal.purpose}",
        en="The programme asks for no consent to {refusal.purpose}",
    ),
    ErrorCode.CONSENT_OUTDATED: Text(
        zh="授权文本已更新为 {refusal.current} 版，请重新阅读后同意",
        en="The words have changed: the current version is {refusal.current}",
    ),
    ErrorCode.MERGE_UNKNOWN: Text(zh="没有这次合并", en="There is no such merge"),
    ErrorCode.MERGE_NOT_UNDOABLE: Text(
        zh="这次合并已无法撤销", en="The merge cannot be undone any more"
    ),
}
