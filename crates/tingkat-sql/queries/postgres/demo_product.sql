-- Adds the products of the demo store.
--
-- Parameters
--   $1 text  rows: a JSON array of objects with
--     id, sku, slug, name, description, status, currency: text
--     regular_price, member_price, stock_quantity, low_stock_at: bigint
--     promotional_price: bigint or null
--     promotion_starts_at, promotion_ends_at: microseconds since 1970 or null
--     featured: boolean
--     created_at, updated_at: microseconds since 1970
-- Result: none
INSERT INTO product (
  id, sku, slug, name, description, status, currency, regular_price, member_price,
  promotional_price, promotion_starts_at, promotion_ends_at, stock_quantity, low_stock_at,
  featured, created_at, updated_at
)
SELECT
  given.id,
  given.sku,
  given.slug,
  given.name,
  given.description,
  given.status,
  given.currency,
  given.regular_price,
  given.member_price,
  given.promotional_price,
  timestamptz 'epoch' + given.promotion_starts_at * interval '1 microsecond',
  timestamptz 'epoch' + given.promotion_ends_at * interval '1 microsecond',
  given.stock_quantity,
  given.low_stock_at,
  given.featured,
  timestamptz 'epoch' + given.created_at * interval '1 microsecond',
  timestamptz 'epoch' + given.updated_at * interval '1 microsecond'
FROM json_to_recordset($1::json) AS given (
  id text,
  sku text,
  slug text,
  name text,
  description text,
  status text,
  currency text,
  regular_price bigint,
  member_price bigint,
  promotional_price bigint,
  promotion_starts_at bigint,
  promotion_ends_at bigint,
  stock_quantity bigint,
  low_stock_at bigint,
  featured boolean,
  created_at bigint,
  updated_at bigint
)
