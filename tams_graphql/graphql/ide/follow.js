"use strict";
// A GraphQL operation over Server-Sent Events: an async iterator of its results. Closing the
// iterator closes the connection. docs/events.md explains it.
window.TAMS_FOLLOW = (url, params, { headers = {} } = {}) => {
  const closing = new AbortController();
  const results = read(url, params, headers, closing.signal);
  return {
    [Symbol.asyncIterator]() {
      return this;
    },
    next: () => results.next(),
    // `results.return` alone would wait for the event that is being read.
    return(value) {
      closing.abort();
      return Promise.resolve({ done: true, value });
    },
  };

  async function* read(address, body, more, signal) {
    try {
      const answer = await fetch(address, {
        method: "POST",
        headers: { ...more, accept: "text/event-stream", "content-type": "application/json" },
        body: JSON.stringify(body),
        signal,
      });
      if (!answer.headers.get("content-type")?.startsWith("text/event-stream")) {
        yield await answer.json();
        return;
      }
      for await (const { event, data } of blocks(answer.body)) {
        if (event === "complete") return;
        if (event === "next") yield JSON.parse(data);
      }
      throw new Error("the connection was lost");
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  async function* blocks(body) {
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const parts = (text + value).split("\r\n\r\n");
      text = parts.pop();
      for (const part of parts) {
        const lines = part.split("\r\n").filter((line) => !line.startsWith(":"));
        yield Object.fromEntries(lines.map((line) => line.split(/: (.*)/s, 2)));
      }
    }
  }
};
