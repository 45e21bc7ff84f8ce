-- Products by id, with the categories, images and variants that their pages show.
--
-- Parameters
--   ?1 text  ids: a JSON array of texts
-- Result: one row per product that exists, whatever its status, in any order
--   id, sku, slug, name, description  text
--   status                            text: draft, active, inactive, discontinued
--   currency                          text: ISO 4217
--   regular_price, member_price       integer: minor units
--   promotional_price                 integer or null: minor units
--   promotion_starts_at, promotion_ends_at  integer or null: microseconds since 1970
--   stock_quantity, low_stock_at      integer
--   featured                          integer: 0 or 1
--   categories  text: JSON [{id, slug, name, active, path}], ordered by name. active: whether it and all
--               that is above it are shown. path: its id and the ids above it, from below
--   images      text: JSON [{url, alt}], at most five, in their order
--   variants    text: JSON [{sku, name, value, regular_price, member_price, stock_quantity}],
--               ordered by sku
--   version     integer
--   updated_at  integer: microseconds since 1970
WITH RECURSIVE above AS (
  SELECT
    member.category_id AS below,
    member.category_id AS id,
    category.parent_id,
    category.active,
    1 AS level
  FROM (
    SELECT DISTINCT product_category.category_id
    FROM json_each(?1) AS wanted
    CROSS JOIN product_category ON product_category.product_id = wanted.value
  ) AS member
  LEFT JOIN category ON category.id = member.category_id
  UNION ALL
  SELECT above.below, above.parent_id, category.parent_id, category.active, above.level + 1
  FROM above
  LEFT JOIN category ON category.id = above.parent_id
  -- As deep as the tree is shown, so that a circle ends here.
  WHERE above.parent_id IS NOT NULL AND above.level < 33
),
way AS MATERIALIZED (
  SELECT
    above.below,
    min(coalesce(above.active, 0)) AND max(above.parent_id IS NULL) AS active,
    json_group_array(above.id ORDER BY above.level) AS path
  FROM above
  GROUP BY above.below
)
SELECT
  product.id,
  product.sku,
  product.slug,
  product.name,
  product.description,
  product.status,
  product.currency,
  product.regular_price,
  product.member_price,
  product.promotional_price,
  product.promotion_starts_at,
  product.promotion_ends_at,
  product.stock_quantity,
  product.low_stock_at,
  product.featured,
  (
    SELECT json_group_array(
      json_object(
        'id', way.below,
        'slug', coalesce(category.slug, ''),
        'name', coalesce(category.name, ''),
        'active', json(iif(way.active, 'true', 'false')),
        'path', json(way.path)
      )
      ORDER BY category.name, way.below
    )
    FROM product_category
    JOIN way ON way.below = product_category.category_id
    -- Without foreign keys a category may come after its members.
    LEFT JOIN category ON category.id = way.below
    WHERE product_category.product_id = product.id
  ) AS categories,
  (
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
  ) AS images,
  (
    SELECT json_group_array(
      json_object(
        'sku', product_variant.sku,
        'name', product_variant.name,
        'value', product_variant.value,
        'regular_price', product_variant.regular_price,
        'member_price', product_variant.member_price,
        'stock_quantity', product_variant.stock_quantity
      )
      ORDER BY product_variant.sku
    )
    FROM product_variant
    WHERE product_variant.product_id = product.id
  ) AS variants,
  product.version,
  product.updated_at
-- CROSS JOIN keeps the order: one index search per wanted id, never a scan of the table.
FROM json_each(?1) AS wanted
CROSS JOIN product ON product.id = wanted.value
