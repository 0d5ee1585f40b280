"use strict";
// A Flow that grows before one's eyes, in the steps that every client takes (docs/events.md):
// 1. take the cursor of the event log; 2. read the state; 3. follow events from the cursor on;
// 4. after a break go on from the last cursor heard; if that is too old, begin anew.
(() => {
  const GRAPHQL = "graphql";
  const SHOWN = 120;
  const part = (id) => document.getElementById(id);
  const EVENTS = `subscription Live($flowId: UUID!, $after: String) {
    events(filter: { flowIds: [$flowId], types: [FLOWS_SEGMENTS_ADDED, FLOWS_SEGMENTS_DELETED, FLOWS_DELETED] }, after: $after) {
      __typename
      ... on LoggedEvent { cursor occurredAt }
      ... on SegmentsAdded { flow { ...Size } segments { ...Row } }
      ... on SegmentsDeleted { flow { ...Size } }
    }
  }
  fragment Size on Flow { segmentCount timerange { timerange } }
  fragment Row on FlowSegment { timerange start end objectId }`;
  const STATE = `query State($flowId: UUID!, $shown: Int!) {
    flow(flowId: $flowId) {
      segmentCount timerange { timerange }
      segments(last: $shown) { nodes { timerange start end objectId } }
    }
  }`;
  let current = null;
  let segments = [];

  async function ask(query, variables) {
    const answer = await fetch(GRAPHQL, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ query, variables }),
    });
    const { data, errors } = await answer.json();
    if (errors) throw new Error(errors[0].message);
    return data;
  }

  async function show(flowId) {
    current?.stop();
    const mine = (current = { stop() {} });
    let cursor = null;
    for (let pause = 250; mine === current; pause = Math.min(pause * 2, 10_000)) {
      try {
        cursor ??= await begin(flowId);
        if (mine !== current) return;
        const results = window.TAMS_FOLLOW(GRAPHQL, {
          query: EVENTS,
          variables: { flowId, after: cursor },
        });
        mine.stop = () => results.return();
        state("live", "live");
        for await (const { data, errors } of results) {
          if (errors) throw Object.assign(new Error(errors[0].message), errors[0].extensions);
          cursor = data.events.cursor;
          pause = 250;
          await grow(flowId, data.events);
        }
      } catch (error) {
        if (error.code === "CURSOR_TOO_OLD") cursor = null;
        if (mine === current) state("lost", `${error.message}; trying again`);
      }
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }

  async function begin(flowId) {
    const { eventLog } = await ask("{ eventLog { cursor } }");
    await read(flowId);
    return eventLog.cursor;
  }

  async function read(flowId) {
    const { flow } = await ask(STATE, { flowId, shown: SHOWN });
    segments = flow?.segments.nodes ?? [];
    draw(flow);
  }

  async function grow(flowId, event) {
    part("last").textContent = `${event.__typename}, ${event.occurredAt}`;
    if (event.__typename !== "SegmentsAdded") return read(flowId);
    const known = new Set(segments.map((one) => one.start));
    const added = event.segments.filter((one) => !known.has(one.start));
    segments = [...segments, ...added].sort((a, b) => seconds(a.start) - seconds(b.start)).slice(-SHOWN);
    draw(event.flow, new Set(added.map((one) => one.start)));
  }

  function draw(flow, fresh = new Set()) {
    part("timerange").textContent = flow?.timerange.timerange ?? "gone";
    part("count").textContent = flow?.segmentCount ?? 0;
    const from = seconds(segments[0]?.start ?? "0:0");
    const length = seconds(segments.at(-1)?.end ?? "1:0") - from || 1;
    part("timeline").replaceChildren(
      ...segments.map((one) => {
        const bar = document.createElement("div");
        bar.className = fresh.has(one.start) ? "new" : "";
        bar.style.left = `${((seconds(one.start) - from) / length) * 100}%`;
        bar.style.width = `${((seconds(one.end) - seconds(one.start)) / length) * 100}%`;
        return bar;
      }),
    );
    part("segments").replaceChildren(
      ...segments.slice(-12).reverse().map((one) => {
        const row = document.createElement("tr");
        for (const text of [one.timerange, one.objectId]) row.insertCell().textContent = text;
        return row;
      }),
    );
  }

  // Exact to a microsecond or so, which is enough to draw.
  function seconds(timestamp) {
    const [, sign, whole, nanoseconds] = /^(-?)(\d+):(\d+)$/.exec(timestamp);
    return (sign ? -1 : 1) * (Number(whole) + Number(nanoseconds) / 1e9);
  }

  function state(kind, text) {
    part("state").className = kind;
    part("state").textContent = text;
  }

  async function start() {
    const { flows } = await ask("{ flows(first: 100) { nodes { flowId label format } } }");
    const wanted = new URLSearchParams(window.location.search).get("flow");
    const choices = flows.nodes.map((one) => [one.flowId, `${one.label ?? one.flowId} (${one.format})`]);
    if (wanted && !choices.some(([id]) => id === wanted)) choices.unshift([wanted, wanted]);
    part("flow").replaceChildren(...choices.map(([id, text]) => new Option(text, id, false, id === wanted)));
    part("flow").addEventListener("change", () => show(part("flow").value));
    if (choices.length) await show(part("flow").value);
    else state("lost", "no Flows yet: create one, and load the page again");
  }

  start().catch((error) => state("lost", error.message));
})();
