"""WeChat: the client against the fake over real HTTP, pure functions by published samples."""
