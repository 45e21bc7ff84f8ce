-- Adds the lines of orders of the demo store.
--
-- Parameters
--   ?1 text  rows: a JSON array of objects with
--     order_id, product_id: text
--     position, quantity, unit_price: integer
-- Result: none
INSERT INTO order_line (
  order_id, position, product_id, quantity, unit_price
)
SELECT
  given.value ->> 'order_id',
  given.value ->> 'position',
  given.value ->> 'product_id',
  given.value ->> 'quantity',
  given.value ->> 'unit_price'
FROM json_each(?1) AS given
