-- Adds the lines of wish lists of the demo store.
--
-- Parameters
--   ?1 text  rows: a JSON array of objects with
--     customer_id, product_id: text
--     added_at: microseconds since 1970
-- Result: none
INSERT INTO wishlist_line (
  customer_id, product_id, added_at
)
SELECT
  given.value ->> 'customer_id',
  given.value ->> 'product_id',
  given.value ->> 'added_at'
FROM json_each(?1) AS given
