-- Which products have these slugs.
--
-- Parameters
--   ?1 text  slugs: a JSON array of texts
-- Result: one row per slug that exists, whatever the product's status, in any order
--   slug  text: as the row has it
--   id  text: the product's
SELECT product.slug, product.id
-- CROSS JOIN keeps the order: one index search per wanted slug, never a scan of the table.
FROM json_each(?1) AS wanted
CROSS JOIN product ON product.slug = wanted.value
