-- What a changed row of `item` writes: the product that it is, and what it is found by.
SELECT
  'product:' || item_id AS dep,
  jsonb_build_array(code, title, price, on_hand, is_shown, changed_at) AS seen
FROM rows
UNION ALL
SELECT 'product.sku:' || code, jsonb_build_array(item_id) FROM rows
UNION ALL
SELECT 'product.slug:' || lower(code), jsonb_build_array(item_id) FROM rows
UNION ALL
SELECT 'products.list', jsonb_build_array(item_id, title, price, is_shown) FROM rows
