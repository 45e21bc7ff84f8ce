-- Adds the variants of products of the demo store.
--
-- Parameters
--   $1 text  rows: a JSON array of objects with
--     sku, product_id, name, value: text
--     regular_price, member_price, stock_quantity: bigint
-- Result: none
INSERT INTO product_variant (
  sku, product_id, name, value, regular_price, member_price, stock_quantity
)
SELECT
  given.sku,
  given.product_id,
  given.name,
  given.value,
  given.regular_price,
  given.member_price,
  given.stock_quantity
FROM json_to_recordset($1::json) AS given (
  sku text,
  product_id text,
  name text,
  value text,
  regular_price bigint,
  member_price bigint,
  stock_quantity bigint
)
