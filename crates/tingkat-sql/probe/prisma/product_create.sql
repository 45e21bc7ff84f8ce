-- Commits a product that no listing shows.
--
-- Parameters
--   $1 text[]  its id
-- Result: one row
--   id  text
-- What other columns there are, and which of them must have a value, only the store knows: it is a copy.
INSERT INTO products
SELECT copy.*
FROM unnest($1::text[]) AS scratch (id)
CROSS JOIN LATERAL (SELECT one.* FROM products AS one LIMIT 1) AS model
CROSS JOIN LATERAL jsonb_populate_record(
  NULL::products,
  to_jsonb(model) || jsonb_build_object(
    'id', scratch.id,
    'sku', scratch.id,
    'slug', scratch.id,
    'name', 'Scratch product',
    'barcode', NULL,
    'status', 'DRAFT',
    'featured', false,
    'isPromotional', false,
    'promotionalPrice', NULL,
    'promotionStartDate', NULL,
    'promotionEndDate', NULL,
    'regularPrice', 5,
    'memberPrice', 4.5,
    'stockQuantity', 7
  )
) AS copy
RETURNING products.id::text AS id
