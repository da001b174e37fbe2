// Apollo Client with its persisted-queries link, hashes sent by GET.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { ApolloClient, HttpLink, InMemoryCache, gql } from "@apollo/client";
import { PersistedQueryLink } from "@apollo/client/link/persisted-queries";
import { check, finish, setting } from "./checks.mjs";
import { recorder } from "./recording.mjs";

const sha256 = (text) => createHash("sha256").update(text).digest("hex");
const authorization = `Bearer ${setting("MEMBER_TOKEN")}`;

// A name of its own for each run, so that no server has met the document.
const run = `Run${process.pid}At${Date.now()}`;
const balance = gql`query Apollo${run} { program { currency } me { id points { available } } }`;
const language = gql`
  mutation Apollo${run}($input: UpdateProfileInput!) {
    updateProfile(input: $input) { member { nickname } userErrors { code } }
  }
`;

function client(headers = { authorization }) {
  const { requests, recordingFetch } = recorder();
  const hashed = new PersistedQueryLink({ sha256, useGETForHashedQueries: true });
  const http = new HttpLink({ uri: setting("GRAPHQL_URL"), headers, fetch: recordingFetch });
  const apollo = new ApolloClient({ link: hashed.concat(http), cache: new InMemoryCache() });
  return { apollo, requests };
}

await check("a document unknown so far is sent once, after its hash", async () => {
  const { apollo, requests } = client();
  const { data } = await apollo.query({ query: balance });
  assert.equal(data.me.id, setting("MEMBER_ID"));
  assert.deepEqual(requests.map(({ method, text }) => [method, text]), [
    ["GET", false],
    ["POST", true],
  ]);
  assert.deepEqual(requests[0].codes, ["PERSISTED_QUERY_NOT_FOUND"]);
});

await check("its hash alone is enough from then on, by GET", async () => {
  const { apollo, requests } = client();
  const { data } = await apollo.query({ query: balance });
  assert.equal(typeof data.me.points.available, "number");
  assert.deepEqual(requests.map(({ method, text, status }) => [method, text, status]), [
    ["GET", false, 200],
  ]);
});

await check("others who know the hash get what is theirs", async () => {
  const { apollo, requests } = client({});
  const { data } = await apollo.query({ query: balance, errorPolicy: "all" });
  assert.equal(data?.me ?? null, null);
  assert.equal(requests.length, 1);
  assert.notDeepEqual(requests[0].codes, ["PERSISTED_QUERY_NOT_FOUND"]);
});

await check("a mutation goes by POST, first by its hash", async () => {
  const { apollo, requests } = client();
  const variables = { input: { nickname: "Apollo" } };
  const { data } = await apollo.mutate({ mutation: language, variables });
  assert.deepEqual(data.updateProfile.userErrors, []);
  assert.equal(data.updateProfile.member.nickname, "Apollo");
  assert.deepEqual(requests.map(({ method, text }) => [method, text]), [
    ["POST", false],
    ["POST", true],
  ]);
});

finish();
