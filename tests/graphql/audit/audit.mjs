// Audits the GraphQL server at the URL given, and prints one JSON object a line and audit.
import { auditServer } from "graphql-http";

const url = process.argv[2];
for (const result of await auditServer({ url, fetchFn: fetch })) {
  const { id, name, status, reason } = result;
  console.log(JSON.stringify({ id, name, status, reason }));
}
