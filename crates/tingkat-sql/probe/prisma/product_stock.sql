-- Commits another stock of a product, as any program could.
--
-- Parameters
--   $1 text[]  id and stock
-- Result: one row, or none if there is no such product
--   id  text
UPDATE products
SET "stockQuantity" = (($1::text[])[2])::integer
WHERE products.id = ($1::text[])[1]
RETURNING products.id::text AS id
