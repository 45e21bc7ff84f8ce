-- Products as their rows are.
--
-- Parameters
--   $1 text[]  ids
-- Result: one row per product that exists, in any order
--   id, sku, slug, name            text
--   regular_price, member_price   bigint: minor units
--   stock_quantity                bigint
SELECT
  product.id,
  product.sku,
  product.slug,
  product.name,
  product.regular_price,
  product.member_price,
  product.stock_quantity
FROM product
WHERE product.id = ANY ($1::text[])
