"""`make run` as a developer runs it: as a process."""
