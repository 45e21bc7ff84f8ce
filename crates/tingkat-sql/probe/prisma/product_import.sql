-- Writes many products as an import does, with what they have already.
--
-- Parameters
--   $1 text[]  ids
-- Result: one row per product that there is
--   id       text
--   version  bigint: after it
WITH wanted AS (
  -- In one order, so that two imports never wait for each other.
  SELECT products.id
  FROM products
  WHERE products.id::text = ANY ($1::text[])
  ORDER BY products.id
  FOR NO KEY UPDATE
)

UPDATE products
SET "updatedAt" = now() AT TIME ZONE 'UTC'
FROM wanted
WHERE products.id = wanted.id
RETURNING
  products.id::text AS id,
  hashtextextended(jsonb_build_array(
    products.id, products.sku, products.slug, products.name, products.description,
    products."shortDescription", products.status, products."regularPrice",
    products."memberPrice", products."promotionalPrice", products."promotionStartDate",
    products."promotionEndDate", products."isPromotional", products."stockQuantity",
    products."lowStockAlert", products.featured, products."updatedAt"
  )::text, 0) & 9007199254740991 AS version
