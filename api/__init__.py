"""The edge: HTTP, authentication, limits, logs, settings, commands. No business rules.

settings         everything about a deployment that is not code
app              the ASGI application, from settings, a schema and what start-up opens
runtime          what start-up opens
graphql_view     GraphQL over HTTP: the order of things
graphql_request  what a client asks
graphql_answer   what it gets: body, media type, status
persisted        documents by hash: trusted ones, and those that clients sent before
conditional      ETags, from the revision of what there is to read
build            which release answers
compression      gzip
cors             pages of other origins
transport        media types, languages, bodies, JSON, and faults of all these
authentication   who asks
limits           what a document and a body may be
logs             request ids, structured logs, the last guard against unmasked faults
health           /livez, /readyz, the public keys
graphiql         the page for developers
"""
