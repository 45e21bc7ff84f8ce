-- Commits a product that no listing shows.
--
-- Parameters
--   $1 text[]  its id
-- Result: one row
--   id  text
INSERT INTO product
  (id, sku, slug, name, status, regular_price, member_price, stock_quantity)
SELECT scratch.id, scratch.id, scratch.id, 'Scratch product', 'draft', 500, 450, 7
FROM unnest($1::text[]) AS scratch (id)
RETURNING product.id
