"""Wheel Park (转盘乐园): a small game platform that gives points of a Jifen programme.

It stands for a real one: it draws prizes by itself, signs what it pushes, sends again until it has
an answer, checks receipts, takes webhooks and reconciles a day. Nothing in it knows the inside of
Jifen; copy what you need.
"""
