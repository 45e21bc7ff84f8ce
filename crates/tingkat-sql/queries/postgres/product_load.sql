-- Products by id, with the categories, images and variants that their pages show.
--
-- Parameters
--   $1 text[]  ids
-- Result: one row per product that exists, whatever its status, in any order
--   id, sku, slug, name, description  text
--   status                            text: draft, active, inactive, discontinued
--   currency                          text: ISO 4217
--   regular_price, member_price       bigint: minor units
--   promotional_price                 bigint or null: minor units
--   promotion_starts_at, promotion_ends_at  bigint or null: microseconds since 1970
--   stock_quantity, low_stock_at      bigint
--   featured                          boolean
--   categories  text: JSON [{id, slug, name, active, path}], ordered by name. active: whether it and all
--               that is above it are shown. path: its id and the ids above it, from below
--   images      text: JSON [{url, alt}], at most five, in their order
--   variants    text: JSON [{sku, name, value, regular_price, member_price, stock_quantity}],
--               ordered by sku
--   version     bigint
--   updated_at  bigint: microseconds since 1970
WITH RECURSIVE above AS (
  SELECT
    member.category_id AS below,
    member.category_id AS id,
    category.parent_id,
    category.active,
    1 AS level
  FROM (
    SELECT DISTINCT product_category.category_id
    FROM product_category
    WHERE product_category.product_id = ANY ($1::text[])
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
    bool_and(coalesce(above.active, false)) AND bool_or(above.parent_id IS NULL) AS active,
    json_agg(above.id ORDER BY above.level) AS path
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
  product.currency::text AS currency,
  product.regular_price,
  product.member_price,
  product.promotional_price,
  (extract(epoch FROM product.promotion_starts_at) * 1000000)::bigint AS promotion_starts_at,
  (extract(epoch FROM product.promotion_ends_at) * 1000000)::bigint AS promotion_ends_at,
  product.stock_quantity,
  product.low_stock_at,
  product.featured,
  coalesce((
    SELECT json_agg(
      json_build_object(
        'id', way.below,
        'slug', coalesce(category.slug, ''),
        'name', coalesce(category.name, ''),
        'active', way.active,
        'path', way.path
      )
      ORDER BY category.name COLLATE "C", way.below COLLATE "C"
    )
    FROM product_category
    JOIN way ON way.below = product_category.category_id
    -- Without foreign keys a category may come after its members.
    LEFT JOIN category ON category.id = way.below
    WHERE product_category.product_id = product.id
  ), '[]')::text AS categories,
  coalesce((
    SELECT json_agg(
      json_build_object('url', image.url, 'alt', image.alt)
      ORDER BY image.position
    )
    FROM (
      SELECT product_image.url, product_image.alt, product_image.position
      FROM product_image
      WHERE product_image.product_id = product.id
      ORDER BY product_image.position
      LIMIT 5
    ) AS image
  ), '[]')::text AS images,
  coalesce((
    SELECT json_agg(
      json_build_object(
        'sku', product_variant.sku,
        'name', product_variant.name,
        'value', product_variant.value,
        'regular_price', product_variant.regular_price,
        'member_price', product_variant.member_price,
        'stock_quantity', product_variant.stock_quantity
      )
      ORDER BY product_variant.sku COLLATE "C"
    )
    FROM product_variant
    WHERE product_variant.product_id = product.id
  ), '[]')::text AS variants,
  product.version,
  (extract(epoch FROM product.updated_at) * 1000000)::bigint AS updated_at
FROM product
WHERE product.id = ANY ($1::text[])
