// node --test examples/partner-game
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { headers, privateKey, signV1, signV1a } from './signing.mjs';

const vectors = JSON.parse(readFileSync(new URL('./vectors.json', import.meta.url), 'utf8'));
const key = await privateKey(vectors.privateKey);

for (const { id, timestamp, body, v1, v1a } of vectors.requests) {
  test(`signs ${id}`, async () => {
    assert.equal(await signV1(vectors.secret, id, timestamp, body), v1);
    assert.equal(await signV1a(key, id, timestamp, body), v1a);
  });
}

test('makes the headers of a request', async () => {
  const made = await headers(key, '{}', 1614265330);
  assert.match(made['webhook-id'], /^msg_[0-9a-f]{32}$/);
  assert.equal(made['webhook-timestamp'], '1614265330');
  assert.equal(
    made['webhook-signature'],
    await signV1a(key, made['webhook-id'], 1614265330, '{}'),
  );
});

for (const { id, timestamp, body, v1, v1a } of vectors.requests) {
  test(`signs the bytes of ${id} as its text`, async () => {
    const bytes = new TextEncoder().encode(body);
    const within = new Uint8Array([0, ...bytes, 0]).subarray(1, -1);
    for (const form of [bytes, within, bytes.buffer, Buffer.from(bytes)]) {
      assert.equal(await signV1(vectors.secret, id, timestamp, form), v1);
      assert.equal(await signV1a(key, id, timestamp, form), v1a);
    }
  });
}

test('refuses what is neither text nor bytes', async () => {
  for (const body of [{ test: 1 }, [1, 2], 7, null, undefined]) {
    await assert.rejects(signV1a(key, 'm', 1, body), TypeError);
    await assert.rejects(headers(key, body), TypeError);
  }
});
