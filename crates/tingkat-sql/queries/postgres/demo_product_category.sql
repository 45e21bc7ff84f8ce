-- Adds the categories of products of the demo store.
--
-- Parameters
--   $1 text  rows: a JSON array of objects with
--     product_id, category_id: text
-- Result: none
INSERT INTO product_category (
  product_id, category_id
)
SELECT
  given.product_id,
  given.category_id
FROM json_to_recordset($1::json) AS given (
  product_id text,
  category_id text
)
