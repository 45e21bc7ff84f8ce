// A storefront that does what docs/nextjs.md says: `node storefront.mjs whole|cut`.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import prismaClient from '@prisma/client';
import { PrismaPg } from '@prisma/adapter-pg';
import { buy, take } from './checkout.mjs';
import { Refused, Tingkat, Unavailable } from './tingkat.mjs';

const [one, other] = process.env.TINGKAT_URLS.split(',');
const pid = Number(process.env.TINGKAT_PID);
const PATIENT = { timeout: 30_000 };

const statuses = [];
const fetchIt = globalThis.fetch;
globalThis.fetch = async (...request) => {
  const response = await fetchIt(...request);
  statuses.push(response.status);
  return response;
};

async function whole() {
  const adapter = new PrismaPg({ connectionString: process.env.DATABASE_URL });
  const prisma = new prismaClient.PrismaClient({ adapter });
  const nodes = [new Tingkat(one, PATIENT), new Tingkat(other, PATIENT)];

  // Every write shows at once, on a node that has not heard of it.
  const { value: before } = await nodes[0].lookUp('/v1/products/7', { current: true });
  let left = before.stock_quantity;
  assert(left > 8, `${left}`);
  for (let round = 0; round < 8; round += 1) {
    const bought = await buy(prisma, nodes[round % 2], '7', 1);
    left -= 1;
    assert.equal(bought.left, left);
    assert.deepEqual(bought.paid, before.price);
    const elsewhere = nodes[(round + 1) % 2];
    const { value } = await elsewhere.lookUp('/v1/products/7', { position: bought.position });
    assert.equal(value.stock_quantity, left);
  }
  assert.equal(await buy(prisma, nodes[0], '7', 1_000_000), null);
  assert.equal(await buy(prisma, nodes[0], 'nowhere', 1), null);
  const fresh = new Tingkat(one, PATIENT);
  const position = await take(prisma, '7', 1);
  const { value: shown } = await fresh.lookUp('/v1/products/7', { position });
  assert.equal(shown.stock_quantity, left - 1);
  await prisma.$disconnect();

  // What is held is not sent again.
  const path = '/v1/products?sort=name&limit=2';
  const first = await nodes[1].lookUp(path);
  statuses.length = 0;
  assert.deepEqual(await nodes[1].lookUp(path), first);
  assert.deepEqual(statuses, [304]);
  assert.deepEqual(await nodes[1].lookUp('/v1/products/nowhere'), { value: null, stale: false });
  await assert.rejects(nodes[1].lookUp('/v1/postcodes/5045'), (error) => {
    assert(error instanceof Refused);
    assert.deepEqual([error.status, error.code], [422, 'postcode_malformed']);
    return true;
  });

  // A service that hangs: what is held, marked, and nothing old for a checkout.
  process.kill(pid, 'SIGSTOP');
  try {
    nodes[1].timeout = 300;
    assert.deepEqual(await nodes[1].lookUp(path), { ...first, stale: true });
    const isTimeout = (error) => error instanceof Unavailable && error.code === 'timeout';
    await assert.rejects(nodes[1].lookUp(path, { current: true }), isTimeout);
    await assert.rejects(nodes[1].lookUp(path, { position }), isTimeout);
    await assert.rejects(nodes[1].lookUp('/v1/products/9'), isTimeout);
  } finally {
    process.kill(pid, 'SIGCONT');
  }
  nodes[1].timeout = 30_000;
  assert.deepEqual(await nodes[1].lookUp(path), first);
  await overloaded();
}

/** A server that has an answer once, and then none. */
async function overloaded() {
  let answers = 0;
  const server = createServer((request, response) => {
    answers += 1;
    if (answers === 1) {
      response.writeHead(200, { 'content-type': 'application/json', etag: '"a"' });
      response.end('{"id":"1"}');
    } else if (answers % 2 === 0) {
      response.writeHead(503, { 'content-type': 'application/problem+json', 'retry-after': '7' });
      response.end('{"code":"overloaded"}');
    } else {
      response.writeHead(502, { 'content-type': 'text/html' });
      response.end('<h1>Bad gateway</h1>');
    }
  });
  await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
  const tingkat = new Tingkat(`http://127.0.0.1:${server.address().port}`, PATIENT);
  assert.deepEqual(await tingkat.lookUp('/a'), { value: { id: '1' }, stale: false });
  assert.deepEqual(await tingkat.lookUp('/a'), { value: { id: '1' }, stale: true });
  assert.deepEqual(await tingkat.lookUp('/a'), { value: { id: '1' }, stale: true });
  await assert.rejects(tingkat.lookUp('/b'), { code: 'overloaded', retryAfter: 7 });
  await assert.rejects(tingkat.lookUp('/b'), { code: 'unreachable' });
  server.closeAllConnections();
  server.close();
}

/** The nodes have lost their database: they answer on, marked, and a checkout is told. */
async function cut() {
  const tingkat = new Tingkat(one, PATIENT);
  await assert.rejects(tingkat.lookUp('/v1/products/7', { current: true }), (error) => {
    assert(error instanceof Unavailable);
    assert.equal(error.code, 'not_current');
    assert(error.retryAfter >= 1);
    return true;
  });
  for (;;) {
    const { value, stale } = await tingkat.lookUp('/v1/products/7');
    assert.equal(value.id, '7');
    // Current until the bound is over.
    if (stale) break;
  }
}

await { whole, cut }[process.argv[2]]();
