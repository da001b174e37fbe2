"""What points buy: the reward catalogue, redemptions and their fulfilment, and coupons in use.

The rules, worked through, are docs/rewards.md. `rules` decides purely what may become of a coupon.
"""

from domain.rewards.addresses import (
    ADDRESSES_MAX,
    AddAddress,
    Address,
    Place,
    add_address,
    addresses,
    erase_address_keys,
    remove_address,
)
from domain.rewards.cancelling import (
    CancelRedemption,
    cancel_redemption,
)
from domain.rewards.checkout import (
    CouponInUse,
    ReserveCoupon,
    RewardRules,
    UseCoupon,
    confirm_coupon,
    release_coupon,
    reserve_coupon,
)
from domain.rewards.coupons import (
    DUE_MOMENTS,
    Coupon,
    coupon,
    coupons,
    coupons_of,
)
from domain.rewards.definitions import (
    CHANGEABLE,
    ChangeReward,
    RewardDefinition,
    change_reward,
    define_reward,
    define_rewards,
    reward_flaws,
)
from domain.rewards.fulfilment import (
    ShipRedemption,
    deliver_redemption,
    set_redemption_address,
    ship_redemption,
)
from domain.rewards.member_tables import (
    MEMBER_TABLES,
)
from domain.rewards.offers import (
    CouponTerms,
    Reward,
    all_rewards,
    rewards,
    stock_left,
)
from domain.rewards.redeeming import (
    QUANTITY_MAX,
    RedeemReward,
    put_back,
    redeem_reward,
)
from domain.rewards.redemptions import (
    Redemption,
    Shipment,
    ShipmentStatus,
    redemption,
    redemption_queue,
    redemptions,
)
from domain.rewards.rules import (
    CouponOff,
    CouponStatus,
    CouponValue,
    RedemptionStatus,
    RewardKind,
)
from domain.rewards.timeline import (
    TIMELINE,
)
from domain.rewards.withdrawing import Unused, unused_redemptions, withdraw

__all__ = [
    "ADDRESSES_MAX",
    "CHANGEABLE",
    "DUE_MOMENTS",
    "MEMBER_TABLES",
    "QUANTITY_MAX",
    "TIMELINE",
    "AddAddress",
    "Address",
    "CancelRedemption",
    "ChangeReward",
    "Coupon",
    "CouponInUse",
    "CouponOff",
    "CouponStatus",
    "CouponTerms",
    "CouponValue",
    "Place",
    "RedeemReward",
    "Redemption",
    "RedemptionStatus",
    "ReserveCoupon",
    "Reward",
    "RewardDefinition",
    "RewardKind",
    "RewardRules",
    "ShipRedemption",
    "Shipment",
    "ShipmentStatus",
    "Unused",
    "UseCoupon",
    "add_address",
    "addresses",
    "all_rewards",
    "cancel_redemption",
    "change_reward",
    "confirm_coupon",
    "coupon",
    "coupons",
    "coupons_of",
    "define_reward",
    "define_rewards",
    "deliver_redemption",
    "erase_address_keys",
    "put_back",
    "redeem_reward",
    "redemption",
    "redemption_queue",
    "redemptions",
    "release_coupon",
    "remove_address",
    "reserve_coupon",
    "reward_flaws",
    "rewards",
    "set_redemption_address",
    "ship_redemption",
    "stock_left",
    "unused_redemptions",
    "withdraw",
]
