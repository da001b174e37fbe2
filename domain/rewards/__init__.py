"""What points buy: the reward catalogue, and the coupons of members."""

from domain.rewards.coupons import DUE_MOMENTS, Coupon, CouponStatus, coupon, coupons
from domain.rewards.definitions import RewardDefinition, define_rewards
from domain.rewards.member_tables import MEMBER_TABLES

__all__ = [
    "DUE_MOMENTS",
    "MEMBER_TABLES",
    "Coupon",
    "CouponStatus",
    "RewardDefinition",
    "coupon",
    "coupons",
    "define_rewards",
]
