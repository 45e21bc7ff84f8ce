-- What a changed row of `product_images` writes.
--
-- Parameters: none
-- Result: one row per row of `rows` and dep
--   dep   text
--   seen  jsonb: what of the row this dep rests on
SELECT
  'product:' || "productId" AS dep,
  jsonb_build_array(id, url, "altText", "sortOrder") AS seen
FROM rows
