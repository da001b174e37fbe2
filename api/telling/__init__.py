"""Telling members outside of the programme: what the edge knows of channels."""
