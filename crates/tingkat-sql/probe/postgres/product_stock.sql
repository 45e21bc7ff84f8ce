-- Commits another stock of a product, as any program could.
--
-- Parameters
--   $1 text[]  id and stock
-- Result: one row, or none if there is no such product
--   id  text
UPDATE product
SET stock_quantity = (($1::text[])[2])::bigint
WHERE product.id = ($1::text[])[1]
RETURNING product.id
