-- Commits a product that no listing shows.
--
-- Parameters
--   ?1 text  its id, as a JSON array of texts
-- Result: one row
--   id  text
INSERT INTO product
  (id, sku, slug, name, status, regular_price, member_price, stock_quantity)
SELECT scratch.value, scratch.value, scratch.value, 'Scratch product', 'draft', 500, 450, 7
FROM json_each(?1) AS scratch
RETURNING id
