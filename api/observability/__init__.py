"""What operators see: metrics, traces, the log of slow operations. Nothing decides by it."""
