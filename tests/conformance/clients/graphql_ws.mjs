// The client of `graphql-ws`, the reference of the protocol graphql-transport-ws.
import assert from "node:assert/strict";
import { createClient } from "graphql-ws";
import WebSocket from "ws";
import { check, failure, finish, setting, signal, within } from "./checks.mjs";
import { POINTS_CHANGED, follow } from "./following.mjs";
import { buy } from "./shop.mjs";

const url = setting("GRAPHQL_URL").replace(/^http/, "ws");
const member = { authorization: `Bearer ${setting("MEMBER_TOKEN")}` };
const SUBSCRIPTIONS_MAX = 10;

function client(connectionParams = member, more = {}) {
  // Between two operations the socket stays open.
  const own = { url, webSocketImpl: WebSocket, retryAttempts: 0, lazyCloseTimeout: 30_000 };
  return createClient({ ...own, connectionParams, ...more });
}

/** The first result of an operation. */
async function once(ws, payload) {
  for await (const result of ws.iterate(payload)) return result;
  throw new Error("it completed without a result");
}

/** How the server closes a raw socket that sent these messages. */
function closing(messages, protocol = "graphql-transport-ws") {
  const socket = new WebSocket(url, protocol);
  socket.on("open", () => messages.forEach((one) => socket.send(JSON.stringify(one))));
  return new Promise((resolve, reject) => {
    socket.on("close", resolve);
    socket.on("error", reject);
  });
}

await check("a query and a mutation run over the socket", async () => {
  const ws = client();
  const { data } = await once(ws, { query: "{ me { id } }" });
  assert.equal(data.me.id, setting("MEMBER_ID"));
  const renamed = await once(ws, {
    query: `mutation ($input: UpdateProfileInput!) {
      updateProfile(input: $input) { member { nickname } userErrors { code } } }`,
    variables: { input: { nickname: "graphql-ws" } },
  });
  assert.equal(renamed.data.updateProfile.member.nickname, "graphql-ws");
  await ws.dispose();
});

await check("points that change are told once and in order", async () => {
  const ws = client();
  const events = await follow(ws);
  const earned = [await buy(10_000), await buy(20_000), await buy(30_000)];
  const told = [await events.next(), await events.next(), await events.next()];
  assert.deepEqual(told.map((one) => one.entry.amount), earned);
  assert.ok(told.every((one) => one.entry.kind === "EARN"));
  await ws.dispose();
});

await check("after a broken connection the cursor brings what was missed", async () => {
  let socket;
  const ws = client(member, { on: { connected: (opened) => (socket = opened) } });
  const events = await follow(ws);
  const first = await buy(10_000);
  const seen = await events.next();
  assert.equal(seen.entry.amount, first);
  socket.terminate();
  await failure(events.next());

  const missed = [await buy(20_000), await buy(30_000)];
  const again = client();
  const resumed = await follow(again, seen.cursor);
  const told = [await resumed.next(), await resumed.next()];
  assert.deepEqual(told.map((one) => one.entry.amount), missed);
  const live = await buy(40_000);
  assert.equal((await resumed.next()).entry.amount, live);
  await again.dispose();
});

await check("an expired token closes the connection with 4401", async () => {
  const closed = signal();
  const ws = client(
    { authorization: `Bearer ${setting("SHORT_TOKEN")}` },
    { on: { closed: closed.resolve } },
  );
  await follow(ws).catch(() => {});
  const { code } = await within(10_000, closed.promise);
  assert.equal(code, 4401);
});

await check("a token that is none is refused with 4403", async () => {
  const init = { type: "connection_init", payload: { authorization: "Bearer nonsense" } };
  assert.equal(await closing([init]), 4403);
});

await check("without a token there is nothing to follow", async () => {
  const ws = client({});
  const errors = await failure(once(ws, { query: POINTS_CHANGED }));
  assert.deepEqual(errors.map((one) => one.extensions.code), ["UNAUTHENTICATED"]);
  await ws.dispose();
});

await check("of eleven subscriptions ten go on and one is refused", async () => {
  const ws = client();
  const following = [];
  for (let number = 0; number <= SUBSCRIPTIONS_MAX; number++) following.push(await follow(ws));
  const earned = await buy(10_000);
  const told = await Promise.allSettled(following.map((events) => events.next()));
  const refused = told.filter((one) => one.status === "rejected").flatMap((one) => one.reason);
  assert.deepEqual(refused.map((one) => one.extensions.code), ["TOO_MANY_SUBSCRIPTIONS"]);
  const amounts = told.flatMap((one) => one.value?.entry.amount ?? []);
  assert.deepEqual(amounts, Array(SUBSCRIPTIONS_MAX).fill(earned));
  await ws.dispose();
});

await check("pings are answered", async () => {
  const answered = signal();
  const ws = client(member, {
    keepAlive: 50,
    lazy: false,
    on: { pong: (received) => received && answered.resolve() },
  });
  await answered.promise;
  await ws.dispose();
});

await check("what breaks the protocol is closed with its codes", async () => {
  const init = { type: "connection_init", payload: member };
  const subscribe = { id: "1", type: "subscribe", payload: { query: POINTS_CHANGED } };
  assert.equal(await closing([init, init]), 4429);
  assert.equal(await closing([subscribe]), 4401);
  assert.equal(await closing([init, subscribe, subscribe]), 4409);
  assert.equal(await closing(["nothing known"]), 4400);
  assert.equal(await closing([], []), 4406);
});

finish();
