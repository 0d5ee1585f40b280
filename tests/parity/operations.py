"""The steps of a history: everything that a client can do, or look at, by both APIs."""

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from tests.parity import histories as h
from tests.parity.machine import Machine
from tests.parity.spans import Span, written
from tests.parity.store import Json, Listing

MOST_WEBHOOKS = 4
_flow_changes = st.one_of(
    st.tuples(st.sampled_from(["label", "description"]), st.none() | h.texts),
    st.tuples(st.sampled_from(["max_bit_rate", "avg_bit_rate"]), st.none() | h.rates),
    st.tuples(st.just("flow_collection"), st.none() | h.collections),
)
_label = st.sampled_from(h.URL_LABELS)
_index = st.integers(0, 9)


class Operations(Machine):
    """Numbers pick one of what there is: see `Machine.flow`, `source` and `object`."""

    hooks = 0
    """How many webhooks were registered so far."""

    @rule(flow=h.picks, body=h.flow_bodies())
    def put_flow(self, flow: int, body: Json) -> None:
        self.do("put_flow", self.flow(flow), body)

    @precondition(lambda self: len(self.model.all_flows) < len(h.FLOW_IDS))
    @rule(index=_index, body=h.flow_bodies())
    def put_new_flow(self, index: int, body: Json) -> None:
        missing = [one for one in h.FLOW_IDS if one not in self.model.all_flows]
        self.do("put_flow", missing[index % len(missing)], body)

    @rule(flow=h.picks, changes=st.fixed_dictionaries({}, optional={"label": h.texts}))
    def put_flow_again(self, flow: int, changes: Json) -> None:
        """As it is, or almost; of one made from a profile, that profile's metadata."""
        known = self.model.all_flows.get(self.flow(flow))
        if known is not None:
            body = {name: part for name, part in known.content.items() if name != "profile_id"}
            self.do("put_flow", self.flow(flow), {**body, **changes})

    @rule(flow=h.picks, change=_flow_changes)
    def set_flow_property(self, flow: int, change: tuple[str, Any]) -> None:
        self.do("set_property", "flow", self.flow(flow), *change)

    @rule(flow=h.picks, locked=st.sampled_from([False] * 4 + [True]))
    def lock(self, flow: int, locked: bool) -> None:
        self.do("set_property", "flow", self.flow(flow), "read_only", locked)

    @rule(
        source=h.picks,
        name=st.sampled_from(["label", "description"]),
        value=st.none() | h.texts,
    )
    def set_source_property(self, source: int, name: str, value: Any) -> None:
        self.do("set_property", "source", self.source(source), name, value)

    @rule(flow=h.picks, name=h.tag_names, value=st.none() | h.tag_values)
    def set_flow_tag(self, flow: int, name: str, value: Any) -> None:
        self.do("set_tag", "flow", self.flow(flow), name, value)

    @rule(source=h.picks, name=h.tag_names, value=st.none() | h.tag_values)
    def set_source_tag(self, source: int, name: str, value: Any) -> None:
        self.do("set_tag", "source", self.source(source), name, value)

    @precondition(lambda self: len(self.model.all_flows) > 2)
    @rule(flow=h.picks)
    def delete_flow(self, flow: int) -> None:
        self.do("delete_flow", self.flow(flow))

    @rule(flow=h.picks, ids=st.lists(st.sampled_from(h.OBJECT_IDS), min_size=1, max_size=2))
    def allocate_named(self, flow: int, ids: list[str]) -> None:
        self.do("allocate", self.flow(flow), {"object_ids": ids})

    @rule(flow=h.picks, count=st.integers(1, 2))
    def allocate(self, flow: int, count: int) -> None:
        self.do("allocate", self.flow(flow), {"limit": count})

    @rule(flow=h.picks, place=h.places(), details=h.segment_details, fresh=st.booleans())
    def record(self, flow: int, place: Span, details: Json, fresh: bool) -> None:
        """What most clients do: new objects, registered where they were allocated."""
        flow_id = self.flow(flow)
        known = self.model.all_flows.get(flow_id)
        has_init = known is not None and known.has_init
        names = self.do("allocate", flow_id, {"limit": 2 if has_init else 1}).answer
        if names:
            there = [k for k, one in self.model.media.objects.items() if one.role == "init"]
            init = {"init_object_id": names[-1] if fresh or not there else there[-1]}
            whole = {k: v for k, v in details.items() if k != "object_timerange"}
            post = {"object_id": names[0], "timerange": str(place), **whole}
            self.do("register_one", flow_id, {**post, **(init if has_init else {})})

    @rule(
        flow=h.picks,
        items=st.lists(
            st.tuples(h.picks, h.places(), h.segment_details, st.none() | h.picks),
            min_size=1,
            max_size=3,
        ),
    )
    def register(self, flow: int, items: list[tuple[int, Span, Json, int | None]]) -> None:
        posts = [
            {
                "object_id": self.object(used),
                "timerange": str(place),
                **details,
                **({} if init is None else {"init_object_id": self.object(init)}),
            }
            for used, place, details, init in items
        ]
        self.do("register", self.flow(flow), posts)

    @rule(flow=h.picks, used=h.picks, timerange=h.bad_timeranges)
    def register_badly(self, flow: int, used: int, timerange: str) -> None:
        post = {"object_id": self.object(used), "timerange": timerange}
        self.do("register_one", self.flow(flow), post)

    @rule(flow=h.picks, index=_index, place=h.places(), cut=st.integers(0, 1))
    def use_again(self, flow: int, index: int, place: Span, cut: int) -> None:
        """An object that is registered somewhere, or a piece of it, at another place."""
        there = [k for k, one in self.model.media.objects.items() if one.span is not None]
        if there:
            object_id = there[index % len(there)]
            whole = self.model.media.objects[object_id].span
            start = min(whole.start + cut, whole.end - 1)
            offset = place.start - start
            placed = Span(place.start, whole.end + offset, whole.closed)
            post = {"object_id": object_id, "timerange": str(placed), "ts_offset": written(offset)}
            self.do("register_one", self.flow(flow), post)

    @rule(flow=h.picks, index=_index, details=h.segment_details)
    def register_again(self, flow: int, index: int, details: Json) -> None:
        """The very segment that is there, and almost that one."""
        known = self.model.all_flows.get(self.flow(flow))
        if known is not None and known.segments:
            there = known.segments[index % len(known.segments)]
            offset = written(there.ts_offset)
            place = {"timerange": str(there.span), "ts_offset": offset}
            post = {"object_id": there.object_id, **place}
            self.do("register", self.flow(flow), [{**post, **details}, post])

    @rule(
        flow=h.picks,
        timerange=st.one_of(st.none(), h.ranges, h.ranges, h.any_ranges),
        used=st.one_of(st.none(), st.none(), h.picks),
    )
    def delete_segments(self, flow: int, timerange: str | None, used: int | None) -> None:
        object_id = None if used is None else self.object(used)
        self.do("delete_segments", self.flow(flow), timerange, object_id)

    @rule(used=h.picks, label=_label, number=st.integers(1, 2))
    def add_instance(self, used: int, label: str, number: int) -> None:
        self.do("add_instance", self.object(used), f"https://a.example/{number}", label)

    @rule(used=h.picks, label=_label)
    def remove_instance(self, used: int, label: str) -> None:
        self.do("remove_instance", self.object(used), label)

    @rule(profile_id=h.profile_ids, body=h.profiles)
    def create_profile(self, profile_id: str, body: Json) -> None:
        self.do("create_profile", profile_id, body)

    @rule(body=h.webhooks, letter=st.sampled_from("abc"))
    @precondition(lambda self: len(self.model.all_webhooks) < MOST_WEBHOOKS)
    def register_webhook(self, body: Json, letter: str) -> None:
        self.hooks += 1
        url = f"https://{letter}.example.com/{self.hooks}"
        self.do("register_webhook", {"url": url, **body})

    @rule(back=st.integers(0, 4), body=h.webhooks, status=st.sampled_from(["created", "disabled"]))
    @precondition(lambda self: self.hooks > 4)
    def replace_webhook(self, back: int, body: Json, status: str) -> None:
        number = self.hooks - back
        url = f"https://m.example.com/{number}"
        self.do("replace_webhook", f"hook-{number}", {"url": url, "status": status, **body})

    @rule(back=st.integers(0, 4))
    @precondition(lambda self: self.hooks > 0)
    def delete_webhook(self, back: int) -> None:
        self.do("delete_webhook", f"hook-{max(self.hooks - back, 1)}")

    @rule(wanted=h.flow_listings)
    def list_flows(self, wanted: Listing) -> None:
        self.do("flows", wanted)

    @rule(wanted=h.source_listings)
    def list_sources(self, wanted: Listing) -> None:
        self.do("sources", wanted)

    @rule(flow=h.picks, wanted=h.segment_listings, used=st.none() | h.picks)
    def list_segments(self, flow: int, wanted: Listing, used: int | None) -> None:
        named = {} if used is None else {"object_id": self.object(used)}
        filters = {**wanted.filters, **named}
        listing = Listing(filters, reverse=wanted.reverse, limit=wanted.limit)
        self.do("segments", self.flow(flow), listing)

    @rule(wanted=h.profile_listings)
    def list_profiles(self, wanted: Listing) -> None:
        self.do("profiles", wanted)

    @rule(wanted=h.webhook_listings)
    def list_webhooks(self, wanted: Listing) -> None:
        self.do("webhooks", wanted)

    @rule(flow=h.picks, timerange=h.any_ranges)
    def look_at_flow(self, flow: int, timerange: str) -> None:
        self.do("flow", self.flow(flow), timerange)

    @rule(source=h.picks)
    def look_at_source(self, source: int) -> None:
        self.do("source", self.source(source))

    @rule(used=h.picks, tags=h.tag_conditions)
    def look_at_object(self, used: int, tags: Any) -> None:
        self.do("object", self.object(used), tags)
