-- Products by id, with the categories, images and variants that their pages show.
--
-- Prices are numeric(10,2) in ringgit, times are timestamp(3) in UTC. A promotion counts while
-- "isPromotional" is set. OUT_OF_STOCK is on sale with nothing left, whatever the quantities say.
-- A price may be NaN, which is none: a product without one can not be read, a variant is left out. A
-- time may be infinite or beyond all calendars: a promotion that never ends has no end.
-- There is no version: it is made from what the row shows, in 53 bits that JavaScript can hold.
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
    member.id AS below,
    member.id,
    categories."parentId"::text AS parent_id,
    categories.id IS NOT NULL AS active,
    1 AS level
  FROM (
    SELECT DISTINCT product_categories."categoryId"::text AS id
    FROM product_categories
    WHERE product_categories."productId" = ANY ($1::text[])
  ) AS member
  LEFT JOIN categories ON categories.id = member.id
  UNION ALL
  SELECT
    above.below,
    above.parent_id,
    categories."parentId"::text,
    categories.id IS NOT NULL,
    above.level + 1
  FROM above
  LEFT JOIN categories ON categories.id = above.parent_id
  -- As deep as the tree is shown, so that a circle ends here.
  WHERE above.parent_id IS NOT NULL AND above.level < 33
),
way AS MATERIALIZED (
  SELECT
    above.below,
    bool_and(above.active) AND bool_or(above.parent_id IS NULL) AS active,
    json_agg(above.id ORDER BY above.level) AS path
  FROM above
  GROUP BY above.below
)
SELECT
  products.id::text AS id,
  products.sku::text AS sku,
  products.slug::text AS slug,
  products.name::text AS name,
  coalesce(products.description, products."shortDescription", '')::text AS description,
  CASE products.status::text
    WHEN 'OUT_OF_STOCK' THEN 'active'
    ELSE lower(products.status::text)
  END AS status,
  'MYR' AS currency,
  CASE
    WHEN abs(products."regularPrice") < 1e15 THEN (products."regularPrice" * 100)::bigint
  END AS regular_price,
  CASE
    WHEN abs(products."memberPrice") < 1e15 THEN (products."memberPrice" * 100)::bigint
  END AS member_price,
  CASE
    WHEN products."isPromotional"
      AND abs(products."promotionalPrice") < 1e15
      AND coalesce(products."promotionStartDate" < '9999-12-30', true)
      AND coalesce(products."promotionEndDate" > '0001-01-01', true)
    THEN (products."promotionalPrice" * 100)::bigint
  END AS promotional_price,
  CASE
    WHEN products."promotionStartDate" BETWEEN '0001-01-01' AND '9999-12-30'
    THEN (extract(epoch FROM products."promotionStartDate") * 1000000)::bigint
  END AS promotion_starts_at,
  CASE
    WHEN products."promotionEndDate" BETWEEN '0001-01-01' AND '9999-12-30'
    THEN (extract(epoch FROM products."promotionEndDate") * 1000000)::bigint
  END AS promotion_ends_at,
  CASE products.status::text
    WHEN 'OUT_OF_STOCK' THEN 0
    ELSE products."stockQuantity"
  END::bigint AS stock_quantity,
  products."lowStockAlert"::bigint AS low_stock_at,
  products.featured,
  coalesce((
    SELECT json_agg(
      json_build_object(
        'id', way.below,
        'slug', coalesce(categories.slug, ''),
        'name', coalesce(categories.name, ''),
        'active', way.active,
        'path', way.path
      )
      ORDER BY categories.name COLLATE "C", way.below COLLATE "C"
    )
    FROM product_categories
    JOIN way ON way.below = product_categories."categoryId"
    -- Without foreign keys a category may come after its members.
    LEFT JOIN categories ON categories.id = way.below
    WHERE product_categories."productId" = products.id
  ), '[]')::text AS categories,
  coalesce((
    SELECT json_agg(
      json_build_object('url', image.url, 'alt', image.alt)
      ORDER BY image.position, image.id COLLATE "C"
    )
    FROM (
      SELECT
        product_images.url,
        coalesce(product_images."altText", '') AS alt,
        product_images."sortOrder" AS position,
        product_images.id
      FROM product_images
      WHERE product_images."productId" = products.id
      ORDER BY product_images."sortOrder", product_images.id COLLATE "C"
      LIMIT 5
    ) AS image
  ), '[]')::text AS images,
  coalesce((
    SELECT json_agg(
      json_build_object(
        'sku', product_variants.sku,
        'name', product_variants.name,
        'value', product_variants.value,
        'regular_price', (product_variants."regularPrice" * 100)::bigint,
        'member_price', (product_variants."memberPrice" * 100)::bigint,
        'stock_quantity', CASE products.status::text
          WHEN 'OUT_OF_STOCK' THEN 0
          ELSE product_variants."stockQuantity"
        END
      )
      ORDER BY product_variants.sku COLLATE "C"
    )
    FROM product_variants
    WHERE product_variants."productId" = products.id
      AND abs(product_variants."regularPrice") < 1e15
      AND abs(product_variants."memberPrice") < 1e15
  ), '[]')::text AS variants,
  hashtextextended(jsonb_build_array(
    products.id, products.sku, products.slug, products.name, products.description,
    products."shortDescription", products.status, products."regularPrice",
    products."memberPrice", products."promotionalPrice", products."promotionStartDate",
    products."promotionEndDate", products."isPromotional", products."stockQuantity",
    products."lowStockAlert", products.featured, products."updatedAt"
  )::text, 0) & 9007199254740991 AS version,
  (extract(epoch FROM least(greatest(products."updatedAt", '0001-01-01'), '9999-12-30'))
    * 1000000)::bigint AS updated_at
FROM products
WHERE products.id = ANY ($1::text[])
