-- Commits another stock of a product, as any program could.
--
-- Parameters
--   ?1 text  id and stock, as a JSON array of texts
-- Result: one row, or none if there is no such product
--   id  text
UPDATE product
SET stock_quantity = CAST(json_extract(?1, '$[1]') AS integer)
WHERE product.id = json_extract(?1, '$[0]')
RETURNING id
