// urql with its persisted exchange, hashes sent by GET.
import assert from "node:assert/strict";
import { Client, fetchExchange, makeOperation, mapExchange } from "@urql/core";
import { persistedExchange } from "@urql/exchange-persisted";
import { check, finish, setting } from "./checks.mjs";
import { recorder } from "./recording.mjs";

const run = `Run${process.pid}At${Date.now()}`;
const balance = `query Urql${run} { program { currency } me { id points { available } } }`;
const rename = `mutation Urql${run}($input: UpdateProfileInput!) {
  updateProfile(input: $input) { member { nickname } userErrors { code } }
}`;

// urql would send a document that the server misses by GET too, which production takes for known
// documents only. This is what a client adds to send it by POST.
const missesByPost = mapExchange({
  onOperation(operation) {
    if (!operation.extensions?.persistedQuery?.miss) return operation;
    return makeOperation(operation.kind, operation, { ...operation.context, preferGetMethod: false });
  },
});

function client() {
  const { requests, recordingFetch } = recorder();
  const urql = new Client({
    url: setting("GRAPHQL_URL"),
    fetch: recordingFetch,
    fetchOptions: { headers: { authorization: `Bearer ${setting("MEMBER_TOKEN")}` } },
    preferGetMethod: false,
    exchanges: [
      persistedExchange({ preferGetForPersistedQueries: true, enableForMutation: true }),
      missesByPost,
      fetchExchange,
    ],
  });
  return { urql, requests };
}

await check("a document unknown so far is sent once, after its hash", async () => {
  const { urql, requests } = client();
  const { data, error } = await urql.query(balance, {}).toPromise();
  assert.equal(error?.message, undefined);
  assert.equal(data.me.id, setting("MEMBER_ID"));
  assert.deepEqual(requests.map(({ method, text }) => [method, text]), [
    ["GET", false],
    ["POST", true],
  ]);
  assert.deepEqual(requests[0].codes, ["PERSISTED_QUERY_NOT_FOUND"]);
});

await check("its hash alone is enough from then on, by GET", async () => {
  const { urql, requests } = client();
  const { data, error } = await urql.query(balance, {}).toPromise();
  assert.equal(error?.message, undefined);
  assert.equal(typeof data.me.points.available, "number");
  assert.deepEqual(requests.map(({ method, text, status }) => [method, text, status]), [
    ["GET", false, 200],
  ]);
});

await check("a mutation goes by POST, first by its hash", async () => {
  const { urql, requests } = client();
  const { data, error } = await urql.mutation(rename, { input: { nickname: "urql" } }).toPromise();
  assert.equal(error?.message, undefined);
  assert.deepEqual(data.updateProfile.userErrors, []);
  assert.deepEqual(requests.map(({ method, text }) => [method, text]), [
    ["POST", false],
    ["POST", true],
  ]);
});

finish();
