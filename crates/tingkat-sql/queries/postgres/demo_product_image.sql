-- Adds the images of products of the demo store.
--
-- Parameters
--   $1 text  rows: a JSON array of objects with
--     product_id, url, alt: text
--     position: integer
-- Result: none
INSERT INTO product_image (
  product_id, position, url, alt
)
SELECT
  given.product_id,
  given.position,
  given.url,
  given.alt
FROM json_to_recordset($1::json) AS given (
  product_id text,
  position integer,
  url text,
  alt text
)
