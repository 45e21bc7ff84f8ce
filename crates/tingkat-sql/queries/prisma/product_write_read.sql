-- A product as it is now, which stays so until the transaction ends.
--
-- Parameters
--   $1 text  id
-- Result: one row, or none if there is no such product
--   currency                     text: ISO 4217
--   regular_price, member_price  bigint
--   stock_quantity               bigint
--   version                      bigint
--   updated_at                   bigint: microseconds since 1970
SELECT
  'MYR' AS currency,
  (products."regularPrice" * 100)::bigint AS regular_price,
  (products."memberPrice" * 100)::bigint AS member_price,
  products."stockQuantity"::bigint AS stock_quantity,
  hashtextextended(jsonb_build_array(
    products.id, products.sku, products.slug, products.name, products.description,
    products."shortDescription", products.status, products."regularPrice",
    products."memberPrice", products."promotionalPrice", products."promotionStartDate",
    products."promotionEndDate", products."isPromotional", products."stockQuantity",
    products."lowStockAlert", products.featured, products."updatedAt"
  )::text, 0) & 9007199254740991 AS version,
  (extract(epoch FROM least(greatest(products."updatedAt", '0001-01-01'), '9999-12-30'))
    * 1000000)::bigint AS updated_at
FROM products
WHERE products.id = $1
FOR UPDATE
