-- What a changed row of `product_categories` writes: the product shows it, the category lists it.
--
-- Parameters: none
-- Result: one row per row of `rows` and dep
--   dep   text
--   seen  jsonb: what of the row this dep rests on
SELECT 'product:' || "productId" AS dep, jsonb_build_array("categoryId") AS seen FROM rows
UNION ALL
SELECT 'category.members:' || "categoryId", jsonb_build_array("productId") FROM rows
