-- Adds the lines of carts of the demo store.
--
-- Parameters
--   $1 text  rows: a JSON array of objects with
--     customer_id, product_id: text
--     quantity: bigint
--     added_at: microseconds since 1970
-- Result: none
INSERT INTO cart_line (
  customer_id, product_id, quantity, added_at
)
SELECT
  given.customer_id,
  given.product_id,
  given.quantity,
  timestamptz 'epoch' + given.added_at * interval '1 microsecond'
FROM json_to_recordset($1::json) AS given (
  customer_id text,
  product_id text,
  quantity bigint,
  added_at bigint
)
