"""Operations over WebSocket (graphql-transport-ws) and server-sent events (graphql-sse)."""
