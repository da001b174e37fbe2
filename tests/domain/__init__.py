"""The rules, without HTTP: one folder per context, as in `domain/`."""
