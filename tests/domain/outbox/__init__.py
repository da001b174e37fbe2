"""The transactional outbox, on both databases."""
