"""Which file formats an export can write, by the suffix of the file's name."""

from pathlib import Path
from typing import Final

from tams_graphql.client.errors import MediaError

_WITH_EDIT_LISTS: Final = {".mp4": "mp4", ".m4v": "mp4", ".m4a": "mp4", ".mov": "mov"}
_PLAIN: Final = {".ts": "mpegts", ".mkv": "matroska"}
_FORMATS: Final = _WITH_EDIT_LISTS | _PLAIN


def format_of(output: Path) -> str:
    """FFmpeg's name of the format of a file that is to be written.

    Raises:
        MediaError: its suffix is none that an export can write.
    """
    found = _FORMATS.get(output.suffix.lower())
    if found is None:
        raise MediaError(f"cannot write {output.name}: its suffix must be {', '.join(_FORMATS)}")
    return found


def has_edit_lists(output: Path) -> bool:
    """Whether the file can hide pictures that are there only to decode others."""
    return output.suffix.lower() in _WITH_EDIT_LISTS
