-- Adds the categories of products of the demo store.
--
-- Parameters
--   ?1 text  rows: a JSON array of objects with
--     product_id, category_id: text
-- Result: none
INSERT INTO product_category (
  product_id, category_id
)
SELECT
  given.value ->> 'product_id',
  given.value ->> 'category_id'
FROM json_each(?1) AS given
