"""Files that the programme keeps beside its database: a store of whole files, and a journal.

Both belong to whoever runs the programme, and nobody else may read them. `SortedLines` is for
making files that are longer than memory allows.
"""

from domain.files.journal import ErasureJournal, JournalUnreadable
from domain.files.sorted_lines import SortedLines
from domain.files.store import FileStore

__all__ = ["ErasureJournal", "FileStore", "JournalUnreadable", "SortedLines"]
