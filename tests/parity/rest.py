"""A store that is used by REST alone, as a client of TAMS 8.2 without a library would."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import httpx

from tests.parity.serving import Client
from tests.parity.store import Json, Listing, Names, Refusal, at_first, present


class Rest:
    """`Store` by REST."""

    def __init__(self, http: Client) -> None:
        self._http = http
        self._names = Names()

    def put_flow(self, flow_id: str, body: Json) -> str:
        answer = self._ask("PUT", f"/flows/{flow_id}", json={"id": flow_id, **body})
        return {201: "created", 204: "updated"}[answer.status_code]

    def set_property(self, noun: str, identifier: str, name: str, value: Any) -> None:
        self._set(f"/{noun}s/{identifier}/{name}", value)

    def set_tag(self, noun: str, identifier: str, name: str, value: Any) -> None:
        self._set(f"/{noun}s/{identifier}/tags/{quote(name, safe='')}", value)

    def _set(self, path: str, value: Any) -> None:
        if value is None:
            self._expect(204, "DELETE", path)
        else:
            self._expect(204, "PUT", path, json=value)

    def delete_flow(self, flow_id: str) -> None:
        self._delete(f"/flows/{flow_id}")

    def allocate(self, flow_id: str, body: Json) -> list[str]:
        answer = self._expect(201, "POST", f"/flows/{flow_id}/storage", json=body)
        ids = [one["object_id"] for one in answer.json()["media_objects"]]
        return ids if "object_ids" in body else [self._names.learn(one) for one in ids]

    def register(self, flow_id: str, posts: list[Json]) -> list[tuple[str, str, Any]]:
        body = [self._post(one) for one in posts]
        answer = self._ask("POST", f"/flows/{flow_id}/segments", json=body)
        failed = answer.json()["failed_segments"] if answer.status_code == 200 else []
        return [
            (self._names.neutral(one["object_id"]), one["timerange"], {one["error"]["type"]})
            for one in failed
        ]

    def register_one(self, flow_id: str, post: Json) -> None:
        self._expect(201, "POST", f"/flows/{flow_id}/segments", json=self._post(post))

    def _post(self, post: Json) -> Json:
        ids = {name: post[name] for name in ("object_id", "init_object_id") if name in post}
        return {**post, **{name: self._names.actual(one) for name, one in ids.items()}}

    def delete_segments(self, flow_id: str, timerange: str | None, object_id: str | None) -> None:
        used = None if object_id is None else self._names.actual(object_id)
        given = {"timerange": timerange, "object_id": used}
        chosen = {name: value for name, value in given.items() if value is not None}
        self._delete(f"/flows/{flow_id}/segments", params=chosen)

    def _delete(self, path: str, **more: Any) -> None:
        """What goes on after the answer is waited for."""
        answer = self._ask("DELETE", path, **more)
        if answer.status_code == 202:
            place = f"/flow-delete-requests/{answer.json()['id']}"
            self._http.wait_until(lambda: self._ask("GET", place).json()["status"] == "done")

    def add_instance(self, object_id: str, url: str, label: str) -> None:
        body = {"url": url, "label": label}
        self._expect(201, "POST", f"{self._object(object_id)}/instances", json=body)

    def remove_instance(self, object_id: str, label: str) -> None:
        chosen = {"label": label}
        self._expect(204, "DELETE", f"{self._object(object_id)}/instances", params=chosen)

    def _object(self, object_id: str) -> str:
        return f"/objects/{quote(self._names.actual(object_id), safe='')}"

    def create_profile(self, profile_id: str, body: Json) -> None:
        given = {"id": profile_id, **body}
        self._expect(201, "POST", f"/service/profiles/{profile_id}", json=given)

    def register_webhook(self, body: Json) -> str:
        made = self._expect(201, "POST", "/service/webhooks", json=body)
        return self._names.learn(made.json()["id"], "hook")

    def replace_webhook(self, name: str, body: Json) -> None:
        given = {"id": self._names.actual(name), **body}
        self._expect(201, "PUT", self._webhook(name), json=given)

    def delete_webhook(self, name: str) -> None:
        self._expect(204, "DELETE", self._webhook(name))

    def _webhook(self, name: str) -> str:
        return f"/service/webhooks/{self._names.actual(name)}"

    def sources(self, wanted: Listing) -> list[Json]:
        return [self._source(one) for one in self._walk("/sources", wanted)]

    def source(self, source_id: str) -> Json:
        return self._source(self._ask("GET", f"/sources/{source_id}").json())

    def flows(self, wanted: Listing) -> list[Json]:
        return [self._flow(one) for one in self._walk("/flows", wanted)]

    def flow(self, flow_id: str, timerange: str | None = None) -> Json:
        given = {"include_timerange": "true", "timerange": timerange or "_"}
        return self._flow(self._ask("GET", f"/flows/{flow_id}", params=given).json())

    def segments(self, flow_id: str, wanted: Listing) -> list[Json]:
        more = {"verbose_storage": "true", "include_object_timerange": "true"}
        filters = dict(wanted.filters)
        if "object_id" in filters:
            filters["object_id"] = self._names.actual(filters["object_id"])
        found = self._walk(f"/flows/{flow_id}/segments", wanted, {**more, **filters})
        return [self._media(one) for one in found]

    def object(self, object_id: str, tags: Sequence[tuple[str, Any]] = ()) -> Json:
        params = {"verbose_storage": "true", **_tag_parameters("flow_tag", tags)}
        return self._media(self._ask("GET", self._object(object_id), params=params).json())

    def profiles(self, wanted: Listing) -> list[Json]:
        found = self._walk("/service/profiles", wanted)
        return [present({**one, "created": None}) for one in found]

    def webhooks(self, wanted: Listing) -> list[Json]:
        found = self._walk("/service/webhooks", wanted)
        return [
            present(
                {**one, "id": self._names.neutral(one["id"]), "status": at_first(one["status"])}
            )
            for one in found
        ]

    def _walk(self, path: str, wanted: Listing, params: Json | None = None) -> list[Json]:
        """All pages."""
        given = _parameters(wanted) if params is None else params
        order = {"reverse_order": str(wanted.reverse).lower(), "limit": str(wanted.limit)}
        page = self._ask("GET", path, params={**given, **order})
        found = list(page.json())
        while "next" in page.links:
            assert len(page.json()) == wanted.limit, "only the last page may be short"
            page = self._ask("GET", page.links["next"]["url"])
            found += page.json()
        return found

    def _source(self, told: Json) -> Json:
        return present({**told, **self._changes("source", told, "created", "updated")})

    def _flow(self, told: Json) -> Json:
        dates = self._changes("flow", told, "created", "metadata_updated", "segments_updated")
        version = told["metadata_version"]
        if not version.startswith("v"):
            version = self._names.change(version, "flow", told["id"], "metadata_version")
        return present({"read_only": False, **told, **dates, "metadata_version": version})

    def _changes(self, noun: str, told: Json, *dates: str) -> Json:
        change = self._names.change
        return {name: change(told.get(name), noun, told["id"], name) for name in dates}

    def _media(self, told: Json) -> Json:
        """A segment or an object, without what only this server knows of its URLs."""
        shown = dict(told)
        for name in ("id", "object_id"):
            if name in shown:
                shown[name] = self._names.neutral(shown[name])
        if "init_object" in shown:
            shown["init_object"] = self._media(shown["init_object"])
        return present({**shown, "get_urls": [_url(one) for one in told.get("get_urls", [])]})

    def _expect(self, status: int, method: str, path: str, **more: Any) -> httpx.Response:
        answer = self._ask(method, path, **more)
        assert answer.status_code == status, (method, path, answer.status_code, answer.text)
        return answer

    def _ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        answer = self._http.request(method, path, **more)
        if answer.status_code >= 400:
            raise Refusal(answer.json()["type"], told=answer.json())
        return answer


def _url(told: Json) -> Json:
    kept = ("label", "presigned", "controlled", *(() if told["controlled"] else ("url",)))
    return {name: told[name] for name in kept}


def _parameters(wanted: Listing) -> Json:
    filters = {name: _text(value) for name, value in wanted.filters.items()}
    return {**filters, **_tag_parameters("tag", wanted.tags), "sort_by": wanted.sort}


def _tag_parameters(prefix: str, tags: Sequence[tuple[str, Any]]) -> Json:
    return {
        f"{prefix}_exists.{name}" if isinstance(value, bool) else f"{prefix}.{name}": _text(value)
        for name, value in tags
    }


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(value) if isinstance(value, list | tuple) else str(value)
