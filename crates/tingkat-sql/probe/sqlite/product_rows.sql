-- Products as their rows are, and as their pages have to show them.
--
-- Parameters
--   ?1 text  ids, as a JSON array of texts
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
  json_object(
    'description', product.description,
    'status', product.status,
    'regular_price', json_object('amount', product.regular_price, 'currency', product.currency),
    'member_price', json_object('amount', product.member_price, 'currency', product.currency),
    'promotional_price', iif(
      product.promotional_price IS NULL,
      NULL,
      json_object('amount', product.promotional_price, 'currency', product.currency)
    ),
    'promotion', iif(
      product.promotional_price IS NULL,
      NULL,
      json_object('starts_at', product.promotion_starts_at, 'ends_at', product.promotion_ends_at)
    ),
    'in_stock', json(iif(
      product.stock_quantity > 0 OR EXISTS (
        SELECT 1
        FROM product_variant
        WHERE product_variant.product_id = product.id AND product_variant.stock_quantity > 0
      ),
      'true',
      'false'
    )),
    'low_stock', json(iif(product.stock_quantity <= product.low_stock_at, 'true', 'false')),
    'featured', json(iif(product.featured, 'true', 'false')),
    'categories', (
      SELECT json_group_array(
        json_object('id', shown.id, 'slug', shown.slug, 'name', shown.name)
        ORDER BY shown.name, shown.id
      )
      FROM shown
      JOIN product_category ON product_category.category_id = shown.id
      WHERE product_category.product_id = product.id
    ),
    'images', (
      SELECT json_group_array(
        json_object('url', image.url, 'alt', image.alt)
        ORDER BY image.position
      )
      FROM (
        SELECT product_image.url, product_image.alt, product_image.position
        FROM product_image
        WHERE product_image.product_id = product.id
        ORDER BY product_image.position
        LIMIT 5
      ) AS image
    ),
    'variants', (
      SELECT json_group_array(
        json_object(
          'sku', product_variant.sku,
          'name', product_variant.name,
          'value', product_variant.value,
          'regular_price',
          json_object('amount', product_variant.regular_price, 'currency', product.currency),
          'member_price',
          json_object('amount', product_variant.member_price, 'currency', product.currency),
          'stock_quantity', product_variant.stock_quantity
        )
        ORDER BY product_variant.sku
      )
      FROM product_variant
      WHERE product_variant.product_id = product.id
    ),
    'version', product.version,
    'updated_at', product.updated_at
  ) AS shows
FROM product
WHERE product.id IN (SELECT value FROM json_each(?1))
