"""The reward catalogue and coupons."""
