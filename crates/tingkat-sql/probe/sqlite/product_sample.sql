-- Some products on sale.
--
-- Parameters
--   ?1 text  how many at most, as a JSON array of texts
-- Result: one row per product
--   id  text
SELECT product.id FROM product WHERE product.status = 'active' ORDER BY product.id
LIMIT (SELECT CAST(value AS integer) FROM json_each(?1))
