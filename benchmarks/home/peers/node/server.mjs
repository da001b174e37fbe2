// The home page served by Mercurius with graphql-jit: `node server.mjs PORT`.
//
// STATEMENTS names a file with the statements that the plain hand-written endpoint runs; the blocks
// of the page run side by side, as resolvers do, on the connections of one pool.
import { createPublicKey, verify } from 'node:crypto'
import { readFileSync } from 'node:fs'
import Fastify from 'fastify'
import mercurius from 'mercurius'
import pg from 'pg'

const CONNECTIONS_MAX = 10
const { DATABASE_URL, PEER_ISSUER, PEER_JWKS, STATEMENTS } = process.env
const sql = JSON.parse(readFileSync(STATEMENTS, 'utf8'))

// bigint and numeric as numbers; moments as the API writes them: UTC with Z, 6 digits or none.
pg.types.setTypeParser(20, Number)
pg.types.setTypeParser(1184, (text) => {
  const [day, rest] = text.split(' ')
  const [time, fraction] = rest.slice(0, -3).split('.')
  return fraction ? `${day}T${time}.${fraction.padEnd(6, '0')}Z` : `${day}T${time}Z`
})

const pool = new pg.Pool({
  connectionString: DATABASE_URL,
  max: CONNECTIONS_MAX,
  options: '-c timezone=UTC',
})
const rows = async (name, ...values) =>
  (await pool.query({ name, text: sql[name], values, rowMode: 'array' })).rows

const globalId = (text) => Buffer.from(text).toString('base64url')

// Tokens are verified once and remembered until they expire.
const keys = new Map(
  JSON.parse(readFileSync(PEER_JWKS, 'utf8')).keys.map((jwk) => [
    jwk.kid,
    createPublicKey({ key: jwk, format: 'jwk' }),
  ]),
)
const remembered = new Map()

function callerOf(header) {
  const token = header.slice('Bearer '.length)
  let caller = remembered.get(token)
  if (caller === undefined) {
    const [head, body, signature] = token.split('.')
    const read = (part) => JSON.parse(Buffer.from(part, 'base64url'))
    const key = keys.get(read(head).kid)
    const claims = read(body)
    const good =
      verify(null, Buffer.from(`${head}.${body}`), key, Buffer.from(signature, 'base64url')) &&
      claims.iss === PEER_ISSUER &&
      claims.aud === 'jifen:member'
    if (!good) throw new Error('UNAUTHENTICATED')
    caller = { memberId: claims.sub, sessionId: claims.sid, expiresAt: claims.exp * 1000 }
    remembered.set(token, caller)
  }
  if (caller.expiresAt <= Date.now()) throw new Error('UNAUTHENTICATED')
  return caller
}

async function contextOf(request) {
  const { memberId, sessionId } = callerOf(request.headers.authorization ?? '')
  const now = new Date()
  const [member] = await rows('session', memberId, now, sessionId)
  if (!member?.[3]) throw new Error('UNAUTHENTICATED')
  const [nickname, avatarUrl, joinedAt] = member
  // What several fields need is read once for a request.
  const once = {}
  const program = () => (once.program ??= rows('program').then(([row]) => row))
  const freshness = () => (once.freshness ??= rows('freshness', memberId).then(([row]) => row))
  return { memberId, now, nickname, avatarUrl, joinedAt, program, freshness }
}

async function tier(_, __, { memberId, now, joinedAt }) {
  const [levels, perks] = await Promise.all([
    rows('levels', memberId, now),
    rows('perks', memberId, now),
  ])
  const [first] = levels
  const at = Math.max(levels.findIndex((level) => level[0] === first[6]), 0)
  const [code, name, rank, threshold] = levels[at]
  const [since, keepUntil, points, amountFen, purchases, kept] = first.slice(7)
  const above = levels[at + 1]
  const criteria = above
    ? [
        { kind: 'QUALIFYING_POINTS', current: points, required: above[3] || null },
        { kind: 'PURCHASE_AMOUNT', current: amountFen, required: above[4] },
        { kind: 'PURCHASES', current: purchases, required: above[5] },
      ].filter(({ required }) => required !== null)
    : []
  return {
    level: { code, name, rank, threshold },
    since: rank && since ? since : joinedAt,
    keepUntil: rank ? keepUntil : null,
    progress: {
      qualifyingPoints: points,
      nextLevel: above ? { code: above[0], name: above[1] } : null,
      pointsToNext: above ? Math.max(above[3] - points, 0) : null,
      pointsToKeep: Math.max(threshold - kept, 0),
      windowEndsAt: rank ? keepUntil : null,
      criteria,
    },
    perks: perks.map(
      ([id, perk, title, description, kind, value, quota, remaining, resetsAt]) => ({
        id: globalId(`Perk:${id}`),
        code: perk,
        title,
        description,
        kind,
        value,
        quota,
        remaining: quota === null ? null : remaining,
        resetsAt: quota === null ? null : resetsAt,
      }),
    ),
  }
}

async function points(_, __, { memberId, now }) {
  const [[account = [0, 0, 0, 0]], soon] = await Promise.all([
    rows('points', memberId, now),
    rows('expiring', memberId, now),
  ])
  const [available, pending, held, debt] = account
  const expiringSoon = soon.map(([number, expiresAt]) => ({ points: number, expiresAt }))
  return { available, pending, held, debt, expiringSoon }
}

async function ledger(_, { first }, { memberId }) {
  const found = await rows('entries', memberId, first + 1)
  const edges = found
    .slice(0, first)
    .map(([seq, kind, amount, balanceAfter, reason, occurredAt, source, reference]) => ({
      cursor: globalId(`["entries",${seq}]`),
      node: {
        id: globalId(`LedgerEntry:${memberId}:${seq}`),
        kind,
        amount,
        balanceAfter,
        reason,
        occurredAt,
        source: { kind: source, reference },
      },
    }))
  return { edges, pageInfo: { hasNextPage: found.length > first, endCursor: edges.at(-1)?.cursor } }
}

async function coupons(_, __, { memberId, now }) {
  const found = await rows('coupons', memberId, now)
  return {
    nodes: found.map(([id, code, title, expiresAt]) => ({
      id: globalId(`Coupon:${memberId}:${id}`),
      code,
      title,
      status: 'ACTIVE',
      expiresAt,
    })),
  }
}

async function recommendations(_, { first }, { program }) {
  const [found, [, , currency]] = await Promise.all([rows('popular', first), program()])
  return {
    personalized: false,
    items: found.map(([score, id, title, imageUrl, theme, themeName, priceFen], place) => ({
      rank: place + 1,
      score,
      shelf: 'POPULAR',
      product: {
        id: globalId(`Product:${id}`),
        title,
        imageUrl,
        theme: theme === null ? null : { code: theme, name: themeName },
        price: priceFen === null ? null : { amount: priceFen, currency },
      },
      reasons: [],
    })),
  }
}

const resolvers = {
  Query: {
    program: async (_, __, { program }) => {
      const [name, timeZone, currency] = await program()
      return { name, timeZone, currency }
    },
    me: (_, __, { memberId, nickname, avatarUrl }) => ({
      id: globalId(`Member:${memberId}`),
      nickname,
      avatarUrl,
    }),
  },
  Member: {
    version: async (_, __, { freshness }) => String((await freshness())[1]),
    unreadCount: async (_, __, { freshness }) => (await freshness())[0],
    tier,
    points,
    ledger,
    coupons,
    recommendations,
  },
}

const app = Fastify()
const schema = readFileSync(new URL('home.graphql', import.meta.url), 'utf8')
app.register(mercurius, { schema, resolvers, context: contextOf, jit: 1 })
await app.listen({ host: '127.0.0.1', port: Number(process.argv[2]) })
