-- Products as their rows are.
--
-- Parameters
--   $1 text[]  ids
-- Result: one row per product that exists, in any order
--   id, sku, slug, name            text
--   regular_price, member_price   bigint: minor units
--   stock_quantity                bigint
SELECT
  products.id::text AS id,
  products.sku::text AS sku,
  products.slug::text AS slug,
  products.name::text AS name,
  round(products."regularPrice" * 100)::bigint AS regular_price,
  round(products."memberPrice" * 100)::bigint AS member_price,
  products."stockQuantity"::bigint AS stock_quantity
FROM products
WHERE products.id = ANY ($1::text[])
