"""What is listed: how it is added, changed and removed, and how it is told one by one.

Everything is done through the API as clients do it. The number that something is added under
decides what it is like; ids, labels and times are scattered, so that what is added later comes
before, between and after what is there.
"""

import asyncio
from dataclasses import replace
from typing import Any

from tams_graphql.media.store import StorageBackend
from tams_graphql.resolvers import deletion_jobs
from tests.paging.store import Json, Store
from tests.rest_compat.stories import multi, seconds, uuid4, video

LABELS = ("b", None, "a", "ä", "a", None, "")
PROFILE = uuid4(7000)
OBJECT = "shared/object"
LONG_FLOW, KEEPER = uuid4(8001), uuid4(8002)
OBJECTS = ("one", "two", "three")
MOST = 100
"""Numbers are below that, so that scattering keeps them apart."""


def scattered(number: int) -> int:
    return (number * 37) % 101


def label(number: int) -> Json:
    """The member ``label`` of a body, or none."""
    text = LABELS[number % len(LABELS)]
    return {} if text is None else {"label": text}


def tags(number: int) -> Json:
    """No tags, a single value, or several."""
    odd = str(number % 2)
    return ({}, {"odd": odd}, {"odd": [odd, "2"], "b,c/ü": ""})[number % 3]


class Kind:
    """One kind of thing; this one can be added only."""

    path = ""
    """Where each is told alone."""

    always: tuple[str, ...] = ()
    """Those that `begin` makes, and that are not to be removed."""

    async def begin(self, store: Store) -> None:
        """What must be there before the first one."""

    async def add(self, store: Store, number: int) -> None:
        raise NotImplementedError

    async def change(self, store: Store, identifier: str, number: int) -> None:
        """Change one, mostly what places it."""

    async def remove(self, store: Store, identifier: str) -> None:
        """Remove one."""

    async def every(self, store: Store) -> list[Json]:
        """All that is there, each as it is told alone, with an ``id``."""
        ids = (*self.always, *store.told)
        return list(await asyncio.gather(*(store.ask("GET", f"{self.path}/{one}") for one in ids)))


class Flows(Kind):
    """Video with and without initialisation segments, audio with and without profile, multi."""

    path = "/flows"

    async def begin(self, store: Store) -> None:
        metadata = {k: v for k, v in audio("", "").items() if k not in {"id", "source_id"}}
        await store.ask(
            "POST", f"/service/profiles/{PROFILE}", {"id": PROFILE, "flow_metadata": metadata}
        )

    def source(self, number: int) -> str:
        return uuid4(1000 + number % 4)

    async def add(self, store: Store, number: int) -> None:
        flow_id = uuid4(1 + scattered(number))
        body = self.body(store, number, flow_id) | label(number) | {"tags": tags(number)}
        await store.ask("PUT", f"/flows/{flow_id}", body)
        store.told[flow_id] = {"number": number, "seconds": []}
        if number % 4 < 2 and number % 3 < 2:
            post = external(f"of {number}", number, number + 1)
            await store.ask("POST", f"/flows/{flow_id}/segments", post)
            store.told[flow_id]["seconds"] = [number]

    def body(self, store: Store, number: int, flow_id: str) -> Json:
        source_id = self.source(number)
        if number % 8 == 5:
            return {"id": flow_id, "source_id": source_id, "profile_id": PROFILE}
        if number % 4 == 1:
            return audio(flow_id, source_id)
        if number % 4 == 3:
            numbers = {told["number"]: one for one, told in store.told.items()}
            near = (numbers.get(number - 1), numbers.get(number - 2), numbers.get(number - 4))
            return multi(flow_id, source_id, *filter(None, near))
        body = video(flow_id, source_id)
        if number % 4 == 2:
            body["essence_parameters"] |= {"frame_width": 640, "frame_height": 360}
            body["essence_parameters"]["init_segments"] = True
            return body
        return body | {"status": "ingesting", "container": "video/mp4"}

    async def change(self, store: Store, identifier: str, number: int) -> None:
        await relabel(store, f"/flows/{identifier}", number)

    async def remove(self, store: Store, identifier: str) -> None:
        await store.ask("DELETE", f"/flows/{identifier}")
        del store.told[identifier]

    async def every(self, store: Store) -> list[Json]:
        found = await super().every(store)
        nothing: Json = {"seconds": []}
        return [one | {"seconds": store.told.get(one["id"], nothing)["seconds"]} for one in found]


class FlowsOfASource(Flows):
    """Flows of several sources, of which that one never goes."""

    always = (uuid4(1900),)

    async def begin(self, store: Store) -> None:
        await super().begin(store)
        (flow_id,) = self.always
        await store.ask("PUT", f"/flows/{flow_id}", audio(flow_id, self.source(1)))


class Sources(Flows):
    """Each with one flow, by which it comes and goes; labels and tags are set afterwards."""

    path = "/sources"

    def source(self, number: int) -> str:
        return uuid4(2000 + scattered(number))

    async def add(self, store: Store, number: int) -> None:
        await super().add(store, number)
        source_id = self.source(number)
        for name, value in tags(number).items():
            await store.ask("PUT", f"/sources/{source_id}/tags/{quoted(name)}", value)
        if label(number):
            await store.ask("PUT", f"/sources/{source_id}/label", label(number)["label"])

    async def change(self, store: Store, identifier: str, number: int) -> None:
        await relabel(store, f"/sources/{identifier}", number)

    async def remove(self, store: Store, identifier: str) -> None:
        by_source = {self.source(told["number"]): one for one, told in store.told.items()}
        await super().remove(store, by_source[identifier])

    async def every(self, store: Store) -> list[Json]:
        ids = [self.source(told["number"]) for told in store.told.values()]
        return list(await asyncio.gather(*(store.ask("GET", f"/sources/{one}") for one in ids)))


class Segments(Kind):
    """Of one flow, scattered over time, of three objects that another flow keeps."""

    async def begin(self, store: Store) -> None:
        for flow_id in (KEEPER, LONG_FLOW):
            await store.ask("PUT", f"/flows/{flow_id}", video(flow_id, uuid4(3000)))
        posts = [external(name, n, n + 1, offset=n) for n, name in enumerate(OBJECTS)]
        await store.ask("POST", f"/flows/{KEEPER}/segments", posts)

    async def add(self, store: Store, number: int) -> None:
        start = scattered(number)
        told = {"object_id": OBJECTS[number % 3], "timerange": seconds(start, start + 1)}
        post = told | {"ts_offset": f"{start}:0"}
        await store.ask("POST", f"/flows/{LONG_FLOW}/segments", post)
        store.told[told["timerange"]] = told | {"id": told["timerange"], "start": start}

    async def remove(self, store: Store, identifier: str) -> None:
        await store.ask("DELETE", f"/flows/{LONG_FLOW}/segments?timerange={identifier}")
        del store.told[identifier]

    async def every(self, store: Store) -> list[Json]:
        return list(store.told.values())


class ObjectFlows(Kind):
    """The flows that use one object; a change takes the timeline away and gives another one.

    Two are always there, so that the object is.
    """

    path = "/flows"
    always = (uuid4(4000), uuid4(4500))

    async def begin(self, store: Store) -> None:
        first, last = self.always
        await self._use(store, first, external(OBJECT, 0, 1))
        await self._use(store, last, _again())

    async def add(self, store: Store, number: int) -> None:
        flow_id = uuid4(4001 + scattered(number))
        await self._use(store, flow_id, _again(), tags=tags(number))
        store.told[flow_id] = {}

    async def change(self, store: Store, identifier: str, number: int) -> None:
        await store.ask("DELETE", f"/flows/{identifier}/segments")
        await store.ask("POST", f"/flows/{identifier}/segments", _again())

    async def remove(self, store: Store, identifier: str) -> None:
        await store.ask("DELETE", f"/flows/{identifier}")
        del store.told[identifier]

    async def _use(self, store: Store, flow_id: str, post: Json, **more: Any) -> None:
        await store.ask("PUT", f"/flows/{flow_id}", video(flow_id, uuid4(3000), **more))
        await store.ask("POST", f"/flows/{flow_id}/segments", post)


class Profiles(Kind):
    """They never change and never go."""

    path = "/service/profiles"

    async def add(self, store: Store, number: int) -> None:
        profile_id = uuid4(5000 + scattered(number))
        flow = audio("", "") if number % 3 else video("", "")
        metadata = {k: v for k, v in flow.items() if k not in {"id", "source_id"}}
        body = {"id": profile_id, "flow_metadata": metadata} | label(number)
        await store.ask("POST", f"{self.path}/{profile_id}", body)
        store.told[profile_id] = {}


class Webhooks(Kind):
    """Some share a URL; a change gives one another."""

    path = "/service/webhooks"

    async def add(self, store: Store, number: int) -> None:
        body = {"url": self._url(number), "events": ["flows/created"], "tags": tags(number)}
        webhook = await store.ask("POST", self.path, body)
        store.told[webhook["id"]] = {}

    async def change(self, store: Store, identifier: str, number: int) -> None:
        path = f"{self.path}/{identifier}"
        webhook = await store.ask("GET", path)
        await store.ask("PUT", path, webhook | {"url": self._url(number)})

    async def remove(self, store: Store, identifier: str) -> None:
        await store.ask("DELETE", f"{self.path}/{identifier}")
        del store.told[identifier]

    def _url(self, number: int) -> str:
        return f"https://hook.example.com/{scattered(number) % 7}"


class StorageBackends(Kind):
    """The operator's: they come and go with a restart, over which cursors last."""

    async def add(self, store: Store, number: int) -> None:
        backend = StorageBackend(
            id=uuid4(6000 + scattered(number)),
            label=label(number).get("label"),
            provider="here",
            store_product="memory",
            tags=tags(number),
        )
        store.add_backend(backend)
        store.told[backend.id] = {}

    async def change(self, store: Store, identifier: str, number: int) -> None:
        backend = store.backends[identifier].backend
        store.add_backend(replace(backend, label=label(number).get("label")))

    async def remove(self, store: Store, identifier: str) -> None:
        del store.backends[identifier]
        del store.told[identifier]

    async def every(self, store: Store) -> list[Json]:
        backends = [one.backend for one in store.backends.values()]
        return [
            {"id": one.id, "tags": dict(one.tags)}
            | ({} if one.label is None else {"label": one.label})
            for one in backends
        ]


class Deletions(Kind):
    """Of a segment each; a change does what is asked for, which puts off the expiry."""

    path = "/flow-delete-requests"

    async def begin(self, store: Store) -> None:
        store.service = replace(store.service, async_delete_segments=0, delete_request_retention=20)

    async def add(self, store: Store, number: int) -> None:
        flow_id = uuid4(9000 + number)
        await store.ask("PUT", f"/flows/{flow_id}", video(flow_id, uuid4(3000)))
        await store.ask("POST", f"/flows/{flow_id}/segments", external(f"of {number}", 0, 1))
        request = await store.ask("DELETE", f"/flows/{flow_id}")
        store.told[request["id"]] = {}

    async def change(self, store: Store, identifier: str, number: int) -> None:
        await deletion_jobs.perform(store.context(), identifier)

    async def remove(self, store: Store, identifier: str) -> None:
        """Let it expire; with it go those that have ended and expire earlier."""
        await deletion_jobs.perform(store.context(), identifier)
        store.pass_seconds(20)
        await deletion_jobs._forget_expired(store.context())
        store.told = {one: {} for one in store.told if await _is_there(store, self.path, one)}
        assert identifier not in store.told


async def _is_there(store: Store, path: str, identifier: str) -> bool:
    return (await store.http.get(f"{path}/{identifier}")).status_code == 200


def audio(flow_id: str, source_id: str) -> Json:
    return {
        "id": flow_id,
        "source_id": source_id,
        "format": "urn:x-nmos:format:audio",
        "codec": "audio/aac",
        "container": "audio/mp4",
        "essence_parameters": {"sample_rate": 48000, "channels": 2},
    }


def external(object_id: str, start: int, end: int, offset: int = 0) -> Json:
    """A segment whose bytes are somewhere else."""
    urls = [{"url": f"https://media.example/{quoted(object_id)}", "label": "elsewhere"}]
    post = {"object_id": object_id, "timerange": seconds(start, end), "get_urls": urls}
    return post | ({"ts_offset": f"{offset}:0"} if offset else {})


def _again() -> Json:
    return {"object_id": OBJECT, "timerange": seconds(0, 1)}


async def relabel(store: Store, path: str, number: int) -> None:
    """Another label, or none; or only another description."""
    if number % 3 == 0:
        await store.ask("PUT", f"{path}/description", f"the {number}th")
    elif label(number):
        await store.ask("PUT", f"{path}/label", label(number)["label"])
    else:
        await store.ask("DELETE", f"{path}/label")


def quoted(text: str) -> str:
    return "".join(f"%{byte:02x}" for byte in text.encode())
