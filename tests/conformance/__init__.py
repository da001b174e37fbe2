"""The gateway as other people's clients and tools find it: `make conformance`, which needs npm."""
