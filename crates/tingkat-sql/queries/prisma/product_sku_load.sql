-- Which products have these skus.
--
-- Parameters
--   $1 text[]  skus
-- Result: one row per sku that exists, whatever the product's status, in any order
--   sku  text: as the row has it
--   id  text: the product's
SELECT products.sku::text AS sku, products.id::text AS id
FROM products
WHERE products.sku = ANY ($1::text[])
