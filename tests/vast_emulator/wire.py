"""What a request of the SDK says: `METHOD /bucket[/schema...][/table]?command[&key=value...]`."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote

from .catalog import SchemaName, TableName
from .refusals import bad_request


@dataclass(frozen=True)
class Wire:
    """One request, taken apart; headers by lower-case name."""

    method: str
    parts: tuple[str, ...]
    command: str
    params: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    @property
    def bucket(self) -> str:
        """The bucket, empty if the path is `/`."""
        return self.parts[0] if self.parts else ""

    @property
    def host(self) -> str:
        """The address of the node that was asked, without its port."""
        return self.headers.get("host", "").partition(":")[0]

    @property
    def txid(self) -> int:
        """The transaction that the request belongs to; 0 is none."""
        try:
            return int(self.headers.get("tabular-txid", "0"))
        except ValueError as error:
            raise bad_request("tabular-txid is not a number") from error

    @property
    def schema(self) -> SchemaName:
        """The path read as a schema's."""
        return SchemaName(self.bucket, "/".join(self.parts[1:]))

    @property
    def table(self) -> TableName:
        """The path read as a table's: its last part is the name."""
        if len(self.parts) < 3:
            raise bad_request("The path is not a table's")
        return TableName(self.bucket, "/".join(self.parts[1:-1]), self.parts[-1])

    @property
    def sorting_key(self) -> tuple[int, ...]:
        """The column numbers in `tabular-sorted-column-N`, in their order."""
        prefix = "tabular-sorted-column-"
        found = {
            int(name.removeprefix(prefix)): int(value)
            for name, value in self.headers.items()
            if name.startswith(prefix)
        }
        return tuple(found[at] for at in sorted(found))

    def flag(self, header: str) -> bool:
        """A header that is `True` or `False`; absent is false."""
        return self.headers.get(header, "").lower() == "true"

    def param(self, name: str) -> str:
        """A query parameter that must be there."""
        if name not in self.params:
            raise bad_request(f"{name} is missing")
        return self.params[name]


def read_wire(method: str, path: str, query: str, headers: Mapping[str, str], body: bytes) -> Wire:
    """Take a request apart; `path` and `query` are raw."""
    first, _, rest = query.partition("&")
    if "=" in first:
        first, rest = "list", query
    parts = tuple(unquote(part) for part in path.split("/") if part)
    params = dict(parse_qsl(rest, keep_blank_values=True))
    return Wire(method, parts, unquote(first), params, headers, body)
