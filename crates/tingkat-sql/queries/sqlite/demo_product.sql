-- Adds the products of the demo store.
--
-- Parameters
--   ?1 text  rows: a JSON array of objects with
--     id, sku, slug, name, description, status, currency: text
--     regular_price, member_price, stock_quantity, low_stock_at: integer
--     promotional_price: integer or null
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
  given.value ->> 'id',
  given.value ->> 'sku',
  given.value ->> 'slug',
  given.value ->> 'name',
  given.value ->> 'description',
  given.value ->> 'status',
  given.value ->> 'currency',
  given.value ->> 'regular_price',
  given.value ->> 'member_price',
  given.value ->> 'promotional_price',
  given.value ->> 'promotion_starts_at',
  given.value ->> 'promotion_ends_at',
  given.value ->> 'stock_quantity',
  given.value ->> 'low_stock_at',
  given.value ->> 'featured',
  given.value ->> 'created_at',
  given.value ->> 'updated_at'
FROM json_each(?1) AS given
