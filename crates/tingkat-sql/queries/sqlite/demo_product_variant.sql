-- Adds the variants of products of the demo store.
--
-- Parameters
--   ?1 text  rows: a JSON array of objects with
--     sku, product_id, name, value: text
--     regular_price, member_price, stock_quantity: integer
-- Result: none
INSERT INTO product_variant (
  sku, product_id, name, value, regular_price, member_price, stock_quantity
)
SELECT
  given.value ->> 'sku',
  given.value ->> 'product_id',
  given.value ->> 'name',
  given.value ->> 'value',
  given.value ->> 'regular_price',
  given.value ->> 'member_price',
  given.value ->> 'stock_quantity'
FROM json_each(?1) AS given
