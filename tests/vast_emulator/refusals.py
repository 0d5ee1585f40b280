"""The answers of the emulator that are not 200, as exceptions and as VAST's XML bodies."""

from dataclasses import dataclass
from xml.sax.saxutils import escape


@dataclass
class Refused(Exception):
    """A request that is answered with an error; it changed nothing.

    The SDK knows only 400, 403, 404, 405, 408, 409, 500, 501, 503 and 507.
    """

    status: int
    code: str
    message: str

    def xml(self) -> bytes:
        """The body that the SDK reads `Code` and `Message` from."""
        inner = f"<Code>{escape(self.code)}</Code><Message>{escape(self.message)}</Message>"
        return f'<?xml version="1.0" encoding="UTF-8"?><Error>{inner}</Error>'.encode()


def bad_request(message: str, code: str = "InvalidArgument") -> Refused:
    """400: the request can't be right, whatever the data."""
    return Refused(400, code, message)


def forbidden(message: str) -> Refused:
    """403: the signature or the access key is wrong."""
    return Refused(403, "SignatureDoesNotMatch", message)


def missing(code: str, message: str) -> Refused:
    """404: the bucket, schema, table, column, row or transaction isn't there."""
    return Refused(404, code, message)


def conflict(message: str) -> Refused:
    """409: another transaction was faster, or the object exists or isn't empty."""
    return Refused(409, "Conflict", message)


def not_emulated(what: str) -> Refused:
    """501: VAST can, the emulator can't."""
    return Refused(501, "NotImplemented", f"The emulator has no {what}")


def slow_down() -> Refused:
    """503 that the SDK retries by itself."""
    return Refused(503, "SlowDown", "Injected: reduce your request rate")
