"""The GraphQL shape: types, inputs, scalars, payloads and root fields, one module per context.

The shape stands above the resolvers, because a Strawberry field with arguments binds its function
when the class is made. A field's body is one call. The rest of this package is what all contexts
share:

descriptions   takes descriptions from docstrings
policies       who may read a field
fields         decorators that declare types, fields and enums with both
faults         top-level errors: their codes
errors         refusals of the domain as `userErrors`
texts          what refusals say, in both languages
mutations      one input, one payload; refusals become answers
scalars        Points, Fen, DateTime, Date, URL, PhoneNumber
connections    keyset connections
node           global ids and `Query.node`
presenting     how errors leave the server: coded, masked, logged
requirements   what a document needs of its caller
documents      what is known about a document before it runs, found out once
building       puts a schema together from its roots
inspection     walks a schema for what a test must not find
"""
