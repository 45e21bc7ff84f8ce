-- Adds the images of products of the demo store.
--
-- Parameters
--   ?1 text  rows: a JSON array of objects with
--     product_id, url, alt: text
--     position: integer
-- Result: none
INSERT INTO product_image (
  product_id, position, url, alt
)
SELECT
  given.value ->> 'product_id',
  given.value ->> 'position',
  given.value ->> 'url',
  given.value ->> 'alt'
FROM json_each(?1) AS given
