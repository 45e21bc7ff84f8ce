-- Writes many products as an import does, with what they have already.
--
-- Parameters
--   $1 text[]  ids
-- Result: one row per product that there is
--   id       text
--   version  bigint: after it
WITH wanted AS (
  -- In one order, so that two imports never wait for each other.
  SELECT product.id
  FROM product
  WHERE product.id = ANY ($1::text[])
  ORDER BY product.id
  FOR NO KEY UPDATE
)

UPDATE product
SET
  stock_quantity = product.stock_quantity,
  version = product.version + 1,
  updated_at = now()
FROM wanted
WHERE product.id = wanted.id
RETURNING product.id, product.version
