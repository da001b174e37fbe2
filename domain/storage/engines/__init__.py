"""Tortoise engine modules of ours: safe under cancellation, the same statements on both databases.

The module names matter: Tortoise's migration executor picks its dialect by "sqlite" or "asyncpg"
in the module name of the client class.
"""
