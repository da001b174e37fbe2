"""Rewards and coupons, on both databases."""
