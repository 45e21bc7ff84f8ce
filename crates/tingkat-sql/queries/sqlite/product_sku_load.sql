-- Which products have these skus.
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
