"""Every operation through the real gateway: its ASGI application, its databases, a fake WeChat."""
