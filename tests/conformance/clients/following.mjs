// Following `pointsChanged` with the clients of graphql-ws and graphql-sse, which look alike.
import { within } from "./checks.mjs";

export const POINTS_CHANGED = `subscription PointsChanged($since: String) {
  pointsChanged(since: $since) { cursor version available entry { id kind amount } }
}`;

/** Events as they come. Returns once the server follows: it has answered a query sent after it. */
export async function follow(client, since) {
  const results = client.iterate({ query: POINTS_CHANGED, variables: { since } });
  // The first call sends the request; what comes before anybody asks is kept.
  let next = results.next();
  next.catch(() => {});
  const events = {
    async next() {
      const { value, done } = await within(10_000, next);
      if (done) throw new Error("the stream ended");
      next = results.next();
      next.catch(() => {});
      if (value.errors) throw new Error(JSON.stringify(value.errors));
      return value.data.pointsChanged;
    },
  };
  if (since === undefined) await settled(client);
  return events;
}

/** Messages of one connection are taken in order, so what was sent before has been begun. */
async function settled(client) {
  for await (const _ of client.iterate({ query: "{ __typename }" })) break;
}
