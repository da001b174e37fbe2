// The client of `graphql-sse`, in its mode of distinct connections.
import assert from "node:assert/strict";
import { createClient } from "graphql-sse";
import { check, failure, finish, setting, within } from "./checks.mjs";
import { POINTS_CHANGED, follow } from "./following.mjs";
import { buy } from "./shop.mjs";

const member = { authorization: `Bearer ${setting("MEMBER_TOKEN")}` };

function client(headers = member, more = {}) {
  return createClient({ url: setting("GRAPHQL_URL"), headers, retryAttempts: 0, ...more });
}

/** All results of an operation. */
async function all(sse, payload) {
  const results = [];
  for await (const result of sse.iterate(payload)) results.push(result);
  return results;
}

await check("a query and a mutation run over a stream", async () => {
  const sse = client();
  const [{ data }] = await all(sse, { query: "{ me { id } }" });
  assert.equal(data.me.id, setting("MEMBER_ID"));
  const [renamed] = await all(sse, {
    query: `mutation ($input: UpdateProfileInput!) {
      updateProfile(input: $input) { member { nickname } userErrors { code } } }`,
    variables: { input: { nickname: "graphql-sse" } },
  });
  assert.equal(renamed.data.updateProfile.member.nickname, "graphql-sse");
  sse.dispose();
});

await check("points that change are told once and in order", async () => {
  const sse = client();
  const events = await follow(sse);
  const earned = [await buy(10_000), await buy(20_000), await buy(30_000)];
  const told = [await events.next(), await events.next(), await events.next()];
  assert.deepEqual(told.map((one) => one.entry.amount), earned);
  sse.dispose();
});

await check("after a broken connection the cursor brings what was missed", async () => {
  const broken = new AbortController();
  const sse = client(member, {
    fetchFn: (url, options) =>
      fetch(url, { ...options, signal: AbortSignal.any([options.signal, broken.signal]) }),
  });
  const events = await follow(sse);
  const first = await buy(10_000);
  const seen = await events.next();
  assert.equal(seen.entry.amount, first);
  broken.abort();
  await failure(events.next());

  const missed = [await buy(20_000), await buy(30_000)];
  const again = client();
  const resumed = await follow(again, seen.cursor);
  const told = [await resumed.next(), await resumed.next()];
  assert.deepEqual(told.map((one) => one.entry.amount), missed);
  const live = await buy(40_000);
  assert.equal((await resumed.next()).entry.amount, live);
  again.dispose();
});

await check("a stream ends with its token", async () => {
  const sse = client({ authorization: `Bearer ${setting("SHORT_TOKEN")}` });
  const results = await within(10_000, all(sse, { query: POINTS_CHANGED }));
  const [last] = results.at(-1).errors;
  assert.equal(last.extensions.code, "UNAUTHENTICATED");
  assert.equal(last.extensions.reason, "expired");
});

await check("without a token there is nothing to follow", async () => {
  const results = await all(client({}), { query: POINTS_CHANGED });
  assert.deepEqual(results[0].errors.map((one) => one.extensions.code), ["UNAUTHENTICATED"]);
});

finish();
