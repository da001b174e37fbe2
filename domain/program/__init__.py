"""The programme: its name, its time zone, its currency."""
