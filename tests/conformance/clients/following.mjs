// Following `pointsChanged` with the clients of graphql-ws and graphql-sse, which look alike.
import { within } from "./checks.mjs";

export const POINTS_CHANGED = `subscription PointsChanged($since: String) {
  pointsChanged(since: $since) { cursor version available entry { id kind amount } }
}`;

const CHANGES = "query ($since: String) { me { changes(since: $since) { cursor more } } }";

/**
 * Events as they come, those after the cursor first; without one, from now on. Nothing that happens
 * after it returned is missed: it follows from where the member's stream is.
 */
export async function follow(client, since) {
  const variables = { since: since ?? (await newest(client)) };
  const results = client.iterate({ query: POINTS_CHANGED, variables });
  // The first call sends the request.
  let next = results.next();
  next.catch(() => {});
  return {
    async next() {
      const { value, done } = await within(10_000, next);
      if (done) throw new Error("the stream ended");
      next = results.next();
      next.catch(() => {});
      if (value.errors) throw new Error(JSON.stringify(value.errors));
      return value.data.pointsChanged;
    },
  };
}

/** The cursor of what happened last. */
async function newest(client) {
  let since;
  for (let page = 0; page < 100; page++) {
    const results = client.iterate({ query: CHANGES, variables: { since } });
    const { value } = await results.next();
    await results.return();
    if (value.errors) throw new Error(JSON.stringify(value.errors));
    since = value.data.me.changes.cursor;
    if (!value.data.me.changes.more) return since;
  }
  throw new Error("there are always more changes");
}
