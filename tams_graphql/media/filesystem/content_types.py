"""Whether two content types are the same (RFC 9110, section 8.3.1)."""

import re

_PARAMETER = re.compile(r';\s*([^\s;="]+)=("(?:[^"\\]|\\.)*"|[^\s;"]*)\s*')
_QUOTED_PAIR = re.compile(r"\\(.)")


def same_content_type(one: str, other: str) -> bool:
    """Whether they differ only in case, spaces, quotes or the order of parameters.

    Values of parameters keep their case, the one of ``charset`` excepted.
    """
    return _parts(one) == _parts(other)


def _parts(content_type: str) -> tuple[str, frozenset[tuple[str, str]], str]:
    kind, semicolon, rest = content_type.partition(";")
    parameters = frozenset(
        _parameter(name.lower(), value) for name, value in _PARAMETER.findall(semicolon + rest)
    )
    # What is no parameter must at least be equal, so that nothing is overlooked.
    remainder = _PARAMETER.sub("", semicolon + rest).strip().rstrip(";").strip()
    return kind.strip().lower(), parameters, remainder


def _parameter(name: str, value: str) -> tuple[str, str]:
    if value.startswith('"'):
        value = _QUOTED_PAIR.sub(r"\1", value[1:-1])
    return name, value.lower() if name == "charset" else value
