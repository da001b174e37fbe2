"""Members: identities, sessions, profile, interests."""
