"""Background work: delivering the outbox, recurring jobs, the queue that wakes workers."""
