"""The HTTP side: one ASGI application.

1. Read the whole request; `/_emulator/...` is the emulator's own control surface, unsigned.
2. Check the signature.
3. Ask the fault rules what is to go wrong with it.
4. Run the command within its transaction; `tabular-txid: 0` is a transaction of its own.
5. Answer: 200, or VAST's XML error; or cut the connection where a rule says so.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from .commands import Work, find_command
from .connections import cut
from .database import Database
from .faults import Action, Faults, Rule
from .listings import Answer, snapshots
from .refusals import Refused, bad_request, conflict, missing, slow_down
from .signature import verify
from .wire import Wire, read_wire


@dataclass
class Emulator:
    """The application.

    Args:
        database: what is served.
        buckets: those that exist.
        secrets: secret key by access key; empty lets everybody in.
        faults: what is to go wrong.
        version: what the `Server` header claims, four numbers.
        shuffle: mixes the rows of each page; None keeps them in order of row ids.
        late_hosts: addresses of nodes that are behind.
    """

    database: Database
    buckets: frozenset[str]
    secrets: Mapping[str, str]
    faults: Faults
    version: str = "5.5.0.1"
    shuffle: Random | None = None
    late_hosts: frozenset[str] = frozenset()
    requests: Counter[str] = field(default_factory=Counter)
    queries: Counter[str] = field(default_factory=Counter)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        body = await request.body()
        if request.url.path.startswith("/_emulator/"):
            await self._control(request, body)(scope, receive, send)
            return
        response = await self._respond(request, body)
        if response is None:
            await cut(scope, receive)
            return
        response.headers["server"] = f"vast {self.version}"
        await response(scope, receive, send)

    def _control(self, request: Request, body: bytes) -> Response:
        match (request.method, request.url.path.removeprefix("/_emulator/")):
            case ("GET", "health"):
                return JSONResponse({"open_transactions": self.database.open_transactions()})
            case ("GET", "requests"):
                return JSONResponse(self.requests)
            case ("DELETE", "requests"):
                self.requests.clear()
            case ("GET", "queries"):
                return JSONResponse(self.queries)
            case ("DELETE", "queries"):
                self.queries.clear()
            case ("PUT", "faults"):
                self.faults.replace(json.loads(body))
            case ("GET", "faults"):
                return Response(self.faults.as_json(), media_type="application/json")
            case _:
                return Response(status_code=404)
        return Response()

    async def _respond(self, request: Request, body: bytes) -> Response | None:
        """The response, or None where the connection is to be cut instead."""
        path = request.scope["raw_path"].decode().partition("?")[0]
        query = request.scope["query_string"].decode()
        try:
            if self.secrets:
                verify(request.method, path, query, request.headers, body, secrets=self.secrets)
            wire = read_wire(request.method, path, query, request.headers, body)
            self._count(wire)
            content, headers = await self._faulty(wire, self.faults.strike(wire))
        except _Dropped:
            return None
        except Refused as refusal:
            return Response(refusal.xml(), refusal.status, media_type="application/xml")
        return Response(content, headers=headers, media_type="application/octet-stream")

    def _count(self, wire: Wire) -> None:
        self.requests[f"{wire.method} {wire.command or 'bucket'}"] += 1
        if (wire.method, wire.command) == ("GET", "data"):
            self.queries[wire.table.name] += 1

    async def _faulty(self, wire: Wire, rules: list[Rule]) -> Answer:
        actions = {rule.action for rule in rules}
        await asyncio.sleep(sum(rule.seconds for rule in rules if rule.action is Action.LATENCY))
        if Action.DROP_BEFORE in actions:
            raise _Dropped
        if Action.SLOW_DOWN in actions:
            raise slow_down()
        if Action.UNAVAILABLE in actions:
            raise Refused(503, "ServiceUnavailable", "Injected")
        if Action.CONFLICT in actions:
            if (wire.method, wire.command) == ("PUT", "transaction"):
                self.database.rollback(self.database.find(wire.txid, to_end=True))
            raise conflict("Injected")
        answer = await self._run(wire)
        if Action.DROP_AFTER in actions:
            raise _Dropped
        return answer

    async def _run(self, wire: Wire) -> Answer:
        if wire.command == "transaction":
            return self._transaction(wire)
        if wire.bucket not in self.buckets:
            raise missing("NoSuchBucket", f"There is no bucket {wire.bucket}")
        if wire.method == "HEAD" and not wire.command:
            return b"", {}
        if (wire.method, wire.command) == ("GET", "list"):
            return snapshots(), {}
        command = find_command(wire)
        if wire.txid:
            transaction = self.database.find(wire.txid)
            return await command(Work(wire, self.database, transaction, self.shuffle))
        transaction = self.database.begin()
        try:
            answer = await command(Work(wire, self.database, transaction, self.shuffle))
        except Refused:
            self.database.rollback(transaction)
            raise
        self.database.commit(transaction)
        return answer

    def _transaction(self, wire: Wire) -> Answer:
        match wire.method:
            case "POST":
                transaction = self.database.begin(late=wire.host in self.late_hosts)
                return b"", {"tabular-txid": str(transaction.txid)}
            case "PUT":
                self.database.commit(self.database.find(wire.txid, to_end=True))
            case "DELETE":
                self.database.rollback(self.database.find(wire.txid, to_end=True))
            case "GET" if wire.txid:
                self.database.find(wire.txid)
            case "GET":
                pass
            case _:
                raise bad_request("A transaction can't be asked that")
        return b"", {}


class _Dropped(Exception):
    """The connection is to be cut instead of an answer."""
