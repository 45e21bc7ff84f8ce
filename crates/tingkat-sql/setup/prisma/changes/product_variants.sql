-- What a changed row of `product_variants` writes. Its product is found by its sku as well.
--
-- Parameters: none
-- Result: one row per row of `rows` and dep
--   dep   text
--   seen  jsonb: what of the row this dep rests on
SELECT
  'product:' || "productId" AS dep,
  jsonb_build_array(sku, name, value, "regularPrice", "memberPrice", "stockQuantity") AS seen
FROM rows
UNION ALL
SELECT 'product.sku:' || sku, jsonb_build_array("productId") FROM rows
