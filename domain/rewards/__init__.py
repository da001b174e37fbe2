"""What points buy: the reward catalogue, and the coupons of members."""

from domain.rewards.coupons import Coupon, CouponStatus, coupon, coupons
from domain.rewards.definitions import RewardDefinition, define_rewards

__all__ = ["Coupon", "CouponStatus", "RewardDefinition", "coupon", "coupons", "define_rewards"]
