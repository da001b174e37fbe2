"""The rules of the loyalty programme, true without HTTP. One package per context."""
