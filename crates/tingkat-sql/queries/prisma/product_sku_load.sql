-- Which products have these skus, themselves or in one of their variants.
--
-- Parameters
--   $1 text[]  skus
-- Result: one row per sku that exists, whatever the product's status, in any order
--   sku  text: as the row has it
--   id  text: the product's
SELECT products.sku::text AS sku, products.id::text AS id
FROM products
WHERE products.sku = ANY ($1::text[])
UNION ALL
SELECT product_variants.sku::text AS sku, product_variants."productId"::text AS id
FROM product_variants
WHERE product_variants.sku = ANY ($1::text[])
  AND NOT EXISTS (SELECT FROM products WHERE products.sku = product_variants.sku)
