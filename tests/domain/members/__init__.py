"""Members on both databases, signing in through the fake WeChat over HTTP."""
