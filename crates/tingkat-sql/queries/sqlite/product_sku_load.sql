-- Which products have these skus, themselves or in one of their variants.
--
-- Parameters
--   ?1 text  skus: a JSON array of texts
-- Result: one row per sku that exists, whatever the product's status, in any order
--   sku  text: as the row has it
--   id  text: the product's
SELECT product.sku, product.id
-- CROSS JOIN keeps the order: one index search per wanted sku, never a scan of the table.
FROM json_each(?1) AS wanted
CROSS JOIN product ON product.sku = wanted.value
UNION ALL
SELECT product_variant.sku, product_variant.product_id AS id
FROM json_each(?1) AS wanted
CROSS JOIN product_variant ON product_variant.sku = wanted.value
WHERE NOT EXISTS (SELECT 1 FROM product WHERE product.sku = product_variant.sku)
