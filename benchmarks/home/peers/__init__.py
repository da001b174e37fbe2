"""The home page written by hand, to measure the gateway against: the same tables, token and bytes.

`plain` is what most would write: a pool, a connection of it for each request, one statement for
each block. `best` is the best that we know: connections leased last in, first out, and all of it in
one statement. `node` is Mercurius with graphql-jit. They are honest in what they leave out: English
texts, birthdays, members in debt and all faults, which no member of the benchmark has.
"""
