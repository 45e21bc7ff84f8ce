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
--   categories  text: JSON [{id, slug, name, active}], ordered by name
--   images      text: JSON [{url, alt}], at most five, in their order
--   variants    text: JSON [{sku, name, value, regular_price, member_price, stock_quantity}],
--               ordered by sku
--   version     bigint
--   updated_at  bigint: microseconds since 1970
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
        'id', category.id,
        'slug', category.slug,
        'name', category.name,
        'active', category.active
      )
      ORDER BY category.name COLLATE "C", category.id COLLATE "C"
    )
    FROM product_category
    JOIN category ON category.id = product_category.category_id
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
