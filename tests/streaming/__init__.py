"""Operations over WebSocket and server-sent events, through a real server."""
