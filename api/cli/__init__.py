"""The command line: `python -m api.cli --help`."""
