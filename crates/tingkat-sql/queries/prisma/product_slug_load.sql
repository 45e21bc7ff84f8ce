-- Which products have these slugs.
--
-- Parameters
--   $1 text[]  slugs
-- Result: one row per slug that exists, whatever the product's status, in any order
--   slug  text: as the row has it
--   id  text: the product's
SELECT products.slug::text AS slug, products.id::text AS id
FROM products
WHERE products.slug = ANY ($1::text[])
