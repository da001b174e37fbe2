// Signatures of Standard Webhooks for requests to the gateway, in JavaScript (Node 18 and later,
// browsers, Deno): Web Crypto alone. The same vectors as the Python signer: vectors.json.

const base64 = (bytes) => btoa(String.fromCharCode(...new Uint8Array(bytes)));
const urlSafe = (text) => text.replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');
const bytesOf = (text) => Uint8Array.from(atob(text), (one) => one.charCodeAt(0));

function signedWords(id, timestamp, body) {
  const head = new TextEncoder().encode(`${id}.${timestamp}.`);
  const tail = bodyBytes(body);
  const words = new Uint8Array(head.length + tail.length);
  words.set(head);
  words.set(tail, head.length);
  return words;
}

// Anything else would be signed as what it prints as, which is not what is sent.
function bodyBytes(body) {
  if (typeof body === 'string') return new TextEncoder().encode(body);
  if (body instanceof ArrayBuffer) return new Uint8Array(body);
  if (ArrayBuffer.isView(body)) return new Uint8Array(body.buffer, body.byteOffset, body.byteLength);
  throw new TypeError('a body to sign is a string, or the bytes that are sent');
}

/** `v1a,…`: Ed25519. `key` is a CryptoKey for signing; `body` the very text or bytes that are sent. */
export async function signV1a(key, id, timestamp, body) {
  return `v1a,${base64(await crypto.subtle.sign('Ed25519', key, signedWords(id, timestamp, body)))}`;
}

/** `v1,…`: HMAC-SHA256 with a secret `whsec_…`. */
export async function signV1(secret, id, timestamp, body) {
  const key = await crypto.subtle.importKey(
    'raw',
    bytesOf(secret.replace(/^whsec_/, '')),
    { name: 'HMAC', hash: 'SHA-256' },
    false,
    ['sign'],
  );
  return `v1,${base64(await crypto.subtle.sign('HMAC', key, signedWords(id, timestamp, body)))}`;
}

/** The signing key in a PEM of PKCS #8, as `openssl genpkey -algorithm ed25519` writes it. */
export async function privateKey(pem) {
  const content = pem.replace(/-----[^-]+-----|\s/g, '');
  return crypto.subtle.importKey('pkcs8', bytesOf(content), 'Ed25519', true, ['sign']);
}

/** The three headers of a request with this body. */
export async function headers(key, body, timestamp = Math.floor(Date.now() / 1000)) {
  const id = `msg_${crypto.randomUUID().replaceAll('-', '')}`;
  return {
    'webhook-id': id,
    'webhook-timestamp': String(timestamp),
    'webhook-signature': await signV1a(key, id, timestamp, body),
  };
}

/** A client assertion (RFC 7523) for `POST /oauth/token`, good once and for two minutes. */
export async function assertion(key, { partner, audience, timestamp = Math.floor(Date.now() / 1000) }) {
  const encode = (text) => new TextEncoder().encode(text);
  const part = (value) => urlSafe(base64(encode(JSON.stringify(value))));
  const claims = { iss: partner, sub: partner, aud: audience, iat: timestamp, exp: timestamp + 120 };
  const words = `${part({ alg: 'EdDSA', typ: 'JWT' })}.${part({ ...claims, jti: crypto.randomUUID() })}`;
  return `${words}.${urlSafe(base64(await crypto.subtle.sign('Ed25519', key, encode(words))))}`;
}
