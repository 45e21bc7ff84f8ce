// Products by id for a storefront, cached aside: Redis is asked first, then PostgreSQL, and what
// PostgreSQL says is kept in Redis for a time. See ../README.md for what it does not do.
//
// DATABASE_URL, REDIS_URL and PORT say where; QUERY names the file with the statement.

import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { Redis } from 'ioredis';
import pg from 'pg';

const { DATABASE_URL, REDIS_URL, PORT, QUERY } = process.env;
const LIFE_S = 300;
const PRODUCT = readFileSync(QUERY, 'utf8');
const IDS = "SELECT id FROM product WHERE status = 'active' ORDER BY updated_at DESC, id";

// Whole numbers here are prices in sen and counts, which a number holds.
pg.types.setTypeParser(pg.types.builtins.INT8, Number);
const database = new pg.Pool({ connectionString: DATABASE_URL, max: 10 });
const redis = new Redis(REDIS_URL, { enableAutoPipelining: true, maxRetriesPerRequest: 1 });
redis.on('error', (error) => console.error(`redis: ${error.message}`));

/** What is kept: a product without what depends on the time. */
function fromRow(row) {
  const money = (amount) => (amount === null ? null : { amount, currency: row.currency });
  const time = (micros) => (micros === null ? null : new Date(micros / 1000).toISOString());
  return {
    id: row.id,
    sku: row.sku,
    slug: row.slug,
    name: row.name,
    description: row.description,
    status: row.status,
    regular_price: money(row.regular_price),
    member_price: money(row.member_price),
    promotional_price: money(row.promotional_price),
    promotion: row.promotional_price === null ? null : {
      starts_at: time(row.promotion_starts_at),
      ends_at: time(row.promotion_ends_at),
    },
    stock_quantity: row.stock_quantity,
    low_stock: row.stock_quantity <= row.low_stock_at,
    featured: row.featured,
    categories: JSON.parse(row.categories)
      .filter((category) => category.active)
      .map(({ id, slug, name }) => ({ id, slug, name })),
    images: JSON.parse(row.images),
    variants: JSON.parse(row.variants).map((variant) => ({
      ...variant,
      regular_price: money(variant.regular_price),
      member_price: money(variant.member_price),
    })),
    version: row.version,
    updated_at: time(row.updated_at),
  };
}

/** What is answered: with the price that a guest pays now. */
function shown(product) {
  const { promotion, promotional_price, regular_price } = product;
  const now = Date.now();
  const isRunning = promotion !== null
    && (promotion.starts_at === null || Date.parse(promotion.starts_at) <= now)
    && (promotion.ends_at === null || now < Date.parse(promotion.ends_at))
    && promotional_price.amount < regular_price.amount;
  return {
    ...product,
    price: isRunning ? promotional_price : regular_price,
    in_stock: product.stock_quantity > 0
      || product.variants.some((variant) => variant.stock_quantity > 0),
  };
}

async function product(id) {
  const key = `peer:node:product:${id}`;
  // Without Redis the database answers.
  const kept = await redis.get(key).catch(() => null);
  if (kept !== null) return { product: JSON.parse(kept), by: 'redis; hit' };
  const { rows } = await database.query({ name: 'product', text: PRODUCT, values: [[id]] });
  const found = rows.length === 0 ? null : fromRow(rows[0]);
  // What does not exist is kept as well, so that nobody can ask the database for it all day.
  redis.set(key, JSON.stringify(found), 'EX', LIFE_S).catch(() => {});
  return { product: found, by: 'redis; fwd=uri-miss, source; fwd=uri-miss; stored' };
}

async function answer(request) {
  const { pathname } = new URL(request.url, 'http://localhost');
  if (pathname === '/v1/products') {
    const { rows } = await database.query(IDS);
    return { status: 200, body: { items: rows, next: null } };
  }
  const [, id] = /^\/v1\/products\/([A-Za-z0-9_-]{1,64})$/.exec(pathname) ?? [];
  if (id === undefined) return { status: 404, body: { title: 'Not found' } };
  const found = await product(id);
  return found.product === null
    ? { status: 404, body: { title: 'Not found' }, by: found.by }
    : { status: 200, body: shown(found.product), by: found.by };
}

createServer(async (request, response) => {
  let told;
  try {
    told = await answer(request);
  } catch (error) {
    console.error(error);
    told = { status: 500, body: { title: 'Internal error' } };
  }
  const body = JSON.stringify(told.body);
  response.writeHead(told.status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    ...(told.by && { 'cache-status': told.by }),
  });
  response.end(body);
}).listen(Number(PORT), '127.0.0.1');
