-- Writes a product, unless what was read of it stands against that.
--
-- Parameters
--   $1 text              id
--   $2 bigint or null    the version that it must have
--   $3 bigint or null    the new stock
--   $4 bigint or null    how many more or fewer
--   $5 bigint or null    the new regular price
--   $6 bigint or null    the new member price
--   $7 text[]            currencies of the new prices
-- Result: one row, or none if it was not written
--   version     bigint
--   updated_at  bigint: microseconds since 1970
UPDATE products
SET
  "stockQuantity" = coalesce($3::bigint, products."stockQuantity" + coalesce($4::bigint, 0)),
  "regularPrice" = coalesce($5::bigint * 0.01, products."regularPrice"),
  "memberPrice" = coalesce($6::bigint * 0.01, products."memberPrice"),
  "updatedAt" = now() AT TIME ZONE 'UTC'
WHERE products.id = $1
  AND (
    $2::bigint IS NULL
    OR $2::bigint = hashtextextended(jsonb_build_array(
      products.id, products.sku, products.slug, products.name, products.description,
      products."shortDescription", products.status, products."regularPrice",
      products."memberPrice", products."promotionalPrice", products."promotionStartDate",
      products."promotionEndDate", products."isPromotional", products."stockQuantity",
      products."lowStockAlert", products.featured, products."updatedAt"
    )::text, 0) & 9007199254740991
  )
  AND 'MYR' = ALL ($7::text[])
  AND products."stockQuantity"::numeric + coalesce($4::bigint, 0) BETWEEN 0 AND 2147483647
  AND coalesce($6::bigint * 0.01, products."memberPrice")
    <= coalesce($5::bigint * 0.01, products."regularPrice")
RETURNING
  hashtextextended(jsonb_build_array(
    products.id, products.sku, products.slug, products.name, products.description,
    products."shortDescription", products.status, products."regularPrice",
    products."memberPrice", products."promotionalPrice", products."promotionStartDate",
    products."promotionEndDate", products."isPromotional", products."stockQuantity",
    products."lowStockAlert", products.featured, products."updatedAt"
  )::text, 0) & 9007199254740991 AS version,
  (extract(epoch FROM products."updatedAt") * 1000000)::bigint AS updated_at
