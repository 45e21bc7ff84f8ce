-- Adds the orders of the demo store.
--
-- Parameters
--   $1 text  rows: a JSON array of objects with
--     id, customer_id, delivery_postcode, currency: text
--     placed_at: microseconds since 1970
-- Result: none
INSERT INTO orders (
  id, customer_id, delivery_postcode, currency, placed_at
)
SELECT
  given.id,
  given.customer_id,
  given.delivery_postcode,
  given.currency,
  timestamptz 'epoch' + given.placed_at * interval '1 microsecond'
FROM json_to_recordset($1::json) AS given (
  id text,
  customer_id text,
  delivery_postcode text,
  currency text,
  placed_at bigint
)
