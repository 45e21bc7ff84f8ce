-- Adds the orders of the demo store.
--
-- Parameters
--   ?1 text  rows: a JSON array of objects with
--     id, customer_id, delivery_postcode, currency: text
--     placed_at: microseconds since 1970
-- Result: none
INSERT INTO orders (
  id, customer_id, delivery_postcode, currency, placed_at
)
SELECT
  given.value ->> 'id',
  given.value ->> 'customer_id',
  given.value ->> 'delivery_postcode',
  given.value ->> 'currency',
  given.value ->> 'placed_at'
FROM json_each(?1) AS given
