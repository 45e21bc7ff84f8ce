-- Adds the lines of orders of the demo store.
--
-- Parameters
--   $1 text  rows: a JSON array of objects with
--     order_id, product_id: text
--     position: integer
--     quantity, unit_price: bigint
-- Result: none
INSERT INTO order_line (
  order_id, position, product_id, quantity, unit_price
)
SELECT
  given.order_id,
  given.position,
  given.product_id,
  given.quantity,
  given.unit_price
FROM json_to_recordset($1::json) AS given (
  order_id text,
  position integer,
  product_id text,
  quantity bigint,
  unit_price bigint
)
