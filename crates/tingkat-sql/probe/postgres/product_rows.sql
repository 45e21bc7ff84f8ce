-- Products as their rows are, and as their pages have to show them.
--
-- Parameters
--   $1 text[]  ids
-- Result: one row per product that exists, in any order
--   id, sku, slug, name            text
--   regular_price, member_price   bigint: minor units
--   stock_quantity                bigint
--   shows  text: JSON object of what else its page shows, by the names there; times are microseconds
--          since 1970
WITH RECURSIVE shown AS (
  SELECT category.id, category.slug, category.name
  FROM category
  WHERE category.parent_id IS NULL AND category.active
  UNION ALL
  SELECT category.id, category.slug, category.name
  FROM shown
  JOIN category ON category.parent_id = shown.id AND category.active
)
SELECT
  product.id,
  product.sku,
  product.slug,
  product.name,
  product.regular_price,
  product.member_price,
  product.stock_quantity,
  json_build_object(
    'description', product.description,
    'status', product.status,
    'regular_price', json_build_object('amount', product.regular_price, 'currency', product.currency),
    'member_price', json_build_object('amount', product.member_price, 'currency', product.currency),
    'promotional_price', CASE WHEN product.promotional_price IS NOT NULL THEN
      json_build_object('amount', product.promotional_price, 'currency', product.currency)
    END,
    'promotion', CASE WHEN product.promotional_price IS NOT NULL THEN
      json_build_object(
        'starts_at', (extract(epoch FROM product.promotion_starts_at) * 1000000)::bigint,
        'ends_at', (extract(epoch FROM product.promotion_ends_at) * 1000000)::bigint
      )
    END,
    'in_stock', product.stock_quantity > 0 OR EXISTS (
      SELECT 1
      FROM product_variant
      WHERE product_variant.product_id = product.id AND product_variant.stock_quantity > 0
    ),
    'low_stock', product.stock_quantity <= product.low_stock_at,
    'featured', product.featured,
    'categories', coalesce((
      SELECT json_agg(
        json_build_object('id', shown.id, 'slug', shown.slug, 'name', shown.name)
        ORDER BY shown.name COLLATE "C", shown.id COLLATE "C"
      )
      FROM shown
      JOIN product_category ON product_category.category_id = shown.id
      WHERE product_category.product_id = product.id
    ), '[]'::json),
    'images', to_json(ARRAY(
      SELECT json_build_object('url', product_image.url, 'alt', product_image.alt)
      FROM product_image
      WHERE product_image.product_id = product.id
      ORDER BY product_image.position
      LIMIT 5
    )),
    'variants', to_json(ARRAY(
      SELECT json_build_object(
        'sku', product_variant.sku,
        'name', product_variant.name,
        'value', product_variant.value,
        'regular_price',
        json_build_object('amount', product_variant.regular_price, 'currency', product.currency),
        'member_price',
        json_build_object('amount', product_variant.member_price, 'currency', product.currency),
        'stock_quantity', product_variant.stock_quantity
      )
      FROM product_variant
      WHERE product_variant.product_id = product.id
      ORDER BY product_variant.sku COLLATE "C"
    )),
    'version', product.version,
    'updated_at', (extract(epoch FROM product.updated_at) * 1000000)::bigint
  )::text AS shows
FROM product
WHERE product.id = ANY ($1::text[])
