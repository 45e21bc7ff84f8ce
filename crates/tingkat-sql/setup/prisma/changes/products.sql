-- What a changed row of `products` writes. A listing changes only with what listings filter or sort by.
--
-- Parameters: none
-- Result: one row per row of `rows` and dep
--   dep   text
--   seen  jsonb: what of the row this dep rests on
SELECT
  'product:' || id AS dep,
  jsonb_build_array(
    id, sku, slug, name, description, "shortDescription", status, "regularPrice", "memberPrice",
    "promotionalPrice", "promotionStartDate", "promotionEndDate", "isPromotional",
    "stockQuantity", "lowStockAlert", featured, "updatedAt"
  ) AS seen
FROM rows
UNION ALL
SELECT 'product.sku:' || sku, jsonb_build_array(id) FROM rows
UNION ALL
SELECT 'product.slug:' || slug, jsonb_build_array(id) FROM rows
UNION ALL
SELECT
  'products.list',
  jsonb_build_array(
    id, name, status, featured, "regularPrice", "memberPrice", "promotionalPrice",
    "promotionStartDate", "promotionEndDate", "isPromotional", "createdAt"
  )
FROM rows
