"""Levels: the ladder decided purely, qualifying and standing on both databases."""
