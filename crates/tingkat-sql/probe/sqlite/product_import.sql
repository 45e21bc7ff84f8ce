-- Writes many products as an import does, with what they have already.
--
-- Parameters
--   ?1 text  ids, as a JSON array of texts
-- Result: one row per product that there is
--   id       text
--   version  integer: after it
UPDATE product
SET
  stock_quantity = product.stock_quantity,
  version = product.version + 1,
  updated_at = CAST(unixepoch('subsec') * 1000 AS integer) * 1000
WHERE product.id IN (SELECT value FROM json_each(?1))
RETURNING id, version
