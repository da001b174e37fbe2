"""The settings of the whole programme: as one file, and what only the whole can decide.

`nodes` reads YAML, `fields` and `reading` make values of it, `writing` and `yaml_text` the file;
`importing` and `exporting` call down to the contexts that own the settings.
"""

from domain.programme_file.contents import FileWarning
from domain.programme_file.differing import Change
from domain.programme_file.exporting import export_programme
from domain.programme_file.importing import Imported, import_programme
from domain.programme_file.nodes import BYTES_MAX
from domain.programme_file.setting import set_programme

__all__ = [
    "BYTES_MAX",
    "Change",
    "FileWarning",
    "Imported",
    "export_programme",
    "import_programme",
    "set_programme",
]
