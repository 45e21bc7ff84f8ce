-- Which products have these skus, themselves or in one of their variants.
--
-- Parameters
--   $1 text[]  skus
-- Result: one row per sku that exists, whatever the product's status, in any order
--   sku  text: as the row has it
--   id  text: the product's
SELECT product.sku, product.id
FROM product
WHERE product.sku = ANY ($1::text[])
UNION ALL
SELECT product_variant.sku, product_variant.product_id AS id
FROM product_variant
WHERE product_variant.sku = ANY ($1::text[])
  AND NOT EXISTS (SELECT FROM product WHERE product.sku = product_variant.sku)
