// The audit of `graphql-http`: what the GraphQL-over-HTTP specification asks of a server.
import { auditServer } from "graphql-http";
import { setting } from "./checks.mjs";

const token = process.env.AUDIT_TOKEN;
const withToken = (url, options) =>
  fetch(url, { ...options, headers: { ...options?.headers, authorization: `Bearer ${token}` } });

const results = await auditServer({
  url: setting("GRAPHQL_URL"),
  fetchFn: token ? withToken : fetch,
});
const told = results.map(({ id, name, status, reason }) => ({ id, name, status, reason }));
process.stdout.write(JSON.stringify(told), () => process.exit(0));
