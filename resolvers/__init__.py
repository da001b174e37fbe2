"""Resolvers: from the request's context and plain values to one domain call, ten lines or fewer.

One module per context, named like the one in `schema/` and in `domain/`. A resolver takes plain
values and returns domain values; it has no query, no `try` and no arithmetic. Refusals of the
domain pass through it: one mechanism in `schema/` turns them into `userErrors`.
"""
