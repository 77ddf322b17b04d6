"""What is typed in place of a list: the path of a file that holds it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

from rbdtui.importers.decoding import NotTextError, read_text
from rbdtui.importers.imported import Remark
from rbdtui.terminal_text import clean_line
from rbdtui.words import T
from rbdtui.workbench.draft.draft import Data
from rbdtui.workbench.pasting.reading import read_pasted
from rbdtui.workbench.pasting.taken import Pasted

_BEGINNINGS: Final = ("/", "~/", "./", "../")
_LONGEST: Final = 4096


def is_path(text: str) -> bool:
    """Whether a text is one line that can only be meant as a path."""
    line = text.strip()
    return line.startswith(_BEGINNINGS) and len(line) <= _LONGEST and "\n" not in line


def read_given(text: str, data: Data) -> Pasted:
    """As `read_pasted`, of the file where the text is a path: may wait for a disk, and what is amiss is a refusal."""
    if not is_path(text):
        return read_pasted(text, data)
    try:
        pasted = read_pasted(read_text(Path(text.strip()).expanduser()), data)
    except (NotTextError, RuntimeError, ValueError) as error:
        why = error.text if isinstance(error, NotTextError) else T("import.no_file", file=clean_line(text.strip()))
        return Pasted(refusals=(Remark(1, clean_line(text.strip()), why),), refused=1)
    remarks = tuple(
        replace(remark, why=T("import.password_by_command")) if remark.why.key == "paste.no_password" else remark
        for remark in pasted.remarks
    )
    return replace(pasted, remarks=remarks)
