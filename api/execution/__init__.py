"""Execution by plans: what graphql-core does for each value again, written down once.

graphql-core still collects the fields of an operation and executes every field that waits for
something. A value that is made of nothing but attributes and plain methods is made by a function
that was generated for its place in the operation; when anything at all is unusual about it, the
function gives up and graphql-core makes the value, errors, paths and nulls included.

    schema.execution_context_class = planned_execution(Plans(fields_max=20_000))

`executor` is where plans meet graphql-core, `plans` keeps them, `shapes` says which values can be
planned, `writing` writes their functions, and `values` is what those functions call.
"""
