// The generated client against a server that runs nothing but the documents of its manifest.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import ts from "typescript";
import { check, finish, setting } from "./checks.mjs";

const url = setting("GRAPHQL_URL");
const folder = setting("GENERATED");
const options = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 };
const source = readFileSync(`${folder}/graphql.ts`, "utf8");
writeFileSync(`${folder}/graphql.mjs`, ts.transpileModule(source, { compilerOptions: options }).outputText);
const { HomeDocument } = await import(pathToFileURL(`${folder}/graphql.mjs`));

const member = { authorization: `Bearer ${setting("MEMBER_TOKEN")}` };
const documentId = HomeDocument.__meta__.hash;

async function post(body, headers = member) {
  const json = { "content-type": "application/json", ...headers };
  const response = await fetch(url, { method: "POST", headers: json, body: JSON.stringify(body) });
  return { status: response.status, body: await response.json() };
}

await check("a document by its hash", async () => {
  assert.match(documentId, /^sha256:[0-9a-f]{64}$/);
  const { status, body } = await post({ documentId, variables: { ledgerFirst: 2 } });
  assert.equal(status, 200);
  assert.equal(body.errors, undefined);
  assert.equal(body.data.me.id, setting("MEMBER_ID"));
  assert.equal(body.data.me.ledger.edges.length, 2);
});

await check("a document by its hash, by GET", async () => {
  const query = new URLSearchParams({ documentId, variables: '{"ledgerFirst": 1}' });
  const response = await fetch(`${url}?${query}`, { headers: member });
  const body = await response.json();
  assert.equal(response.status, 200);
  assert.equal(body.data.me.ledger.edges.length, 1);
});

await check("another document is refused, also with its hash", async () => {
  const query = "{ program { currency } }";
  const sha256Hash = createHash("sha256").update(query).digest("hex");
  for (const extensions of [undefined, { persistedQuery: { version: 1, sha256Hash } }]) {
    const { body } = await post({ query, extensions });
    assert.deepEqual(body.errors.map((one) => one.extensions.code), ["DOCUMENT_NOT_TRUSTED"]);
    assert.equal(body.data, undefined);
  }
});

await check("a server of ours may send any document", async () => {
  const shop = { authorization: `Bearer ${setting("SHOP_TOKEN")}` };
  const { body } = await post({ query: "{ program { currency } }" }, shop);
  assert.deepEqual(body, { data: { program: { currency: "CNY" } } });
});

finish();
