// Runs what each line of standard input asks for with an unmodified client, and prints each result
// as a line of JSON. The first argument names the client, the second the server's address.
import { createInterface } from "node:readline";
import { createClient as createSse } from "graphql-sse";
import { createClient as createWs } from "graphql-ws";
import WebSocket from "ws";

const [kind, server] = process.argv.slice(2);
const print = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

const makeClient = {
  ws: () =>
    createWs({
      url: `${server.replace("http", "ws")}/graphql`,
      webSocketImpl: WebSocket,
      on: { closed: (event) => print({ closed: event.code }) },
    }),
  sse: () => createSse({ url: `${server}/graphql`, retryAttempts: 0 }),
}[kind];

let client = makeClient();
const running = new Map();

// Everything below is what an application would write.
function run({ id, query, variables }) {
  const unsubscribe = client.subscribe(
    { query, variables },
    {
      next: (result) => print({ id, next: result }),
      error: (error) => print({ id, error: Array.isArray(error) ? error : `${error.message || error.code || error}` }),
      complete: () => print({ id, complete: true }),
    },
  );
  running.set(id, unsubscribe);
}

for await (const line of createInterface({ input: process.stdin })) {
  const asked = JSON.parse(line);
  if (asked.do === "run") run(asked);
  if (asked.do === "unsubscribe") running.get(asked.id)();
  if (asked.do === "reconnect") {
    await client.dispose();
    client = makeClient();
    print({ reconnected: true });
  }
}
client.dispose();
process.exit(0);
