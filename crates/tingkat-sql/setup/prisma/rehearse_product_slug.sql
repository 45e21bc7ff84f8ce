-- Gives a product another slug.
--
-- Parameters: none
-- Result: one row, or none if there is nothing to change
--   key   text: of an entry that shows what was changed
--   deps  text: JSON [[entity, key]] of what the change is to write; a set has no key
UPDATE products
SET slug = one.slug || '-0'
FROM (SELECT any_one.id, any_one.slug FROM products AS any_one LIMIT 1 FOR UPDATE SKIP LOCKED) AS one
WHERE products.id = one.id
RETURNING
  one.slug AS key,
  json_build_array(
    json_build_array('product', products.id),
    json_build_array('product.slug', one.slug),
    json_build_array('product.slug', products.slug)
  )::text AS deps
