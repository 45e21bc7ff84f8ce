-- Products as their rows are, and as their pages have to show them.
-- There is no version in the row: what is answered as one is made of it.
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
  SELECT categories.id, categories.slug, categories.name
  FROM categories
  WHERE categories."parentId" IS NULL
  UNION ALL
  SELECT categories.id, categories.slug, categories.name
  FROM shown
  JOIN categories ON categories."parentId" = shown.id
),
priced AS (
  SELECT
    products.*,
    CASE
      WHEN products."isPromotional"
        AND abs(products."promotionalPrice") < 1e15
        AND coalesce(products."promotionStartDate" < '9999-12-30', true)
        AND coalesce(products."promotionEndDate" > '0001-01-01', true)
      THEN round(products."promotionalPrice" * 100)::bigint
    END AS promotional_price,
    CASE products.status::text
      WHEN 'OUT_OF_STOCK' THEN 0
      ELSE products."stockQuantity"
    END::bigint AS stock_quantity
  FROM products
  WHERE products.id = ANY ($1::text[])
)
SELECT
  priced.id::text AS id,
  priced.sku::text AS sku,
  priced.slug::text AS slug,
  priced.name::text AS name,
  round(priced."regularPrice" * 100)::bigint AS regular_price,
  round(priced."memberPrice" * 100)::bigint AS member_price,
  priced.stock_quantity,
  json_build_object(
    'description', coalesce(priced.description, priced."shortDescription", ''),
    'status', lower(replace(priced.status::text, 'OUT_OF_STOCK', 'ACTIVE')),
    'promotional_price', CASE WHEN priced.promotional_price IS NOT NULL THEN
      json_build_object('amount', priced.promotional_price, 'currency', 'MYR')
    END,
    'promotion', CASE WHEN priced.promotional_price IS NOT NULL THEN
      json_build_object(
        'starts_at', CASE
          WHEN priced."promotionStartDate" BETWEEN '0001-01-01' AND '9999-12-30'
          THEN (extract(epoch FROM priced."promotionStartDate") * 1000000)::bigint
        END,
        'ends_at', CASE
          WHEN priced."promotionEndDate" BETWEEN '0001-01-01' AND '9999-12-30'
          THEN (extract(epoch FROM priced."promotionEndDate") * 1000000)::bigint
        END
      )
    END,
    'low_stock', priced.stock_quantity <= priced."lowStockAlert",
    'featured', priced.featured,
    'categories', coalesce((
      SELECT json_agg(
        json_build_object('id', shown.id, 'slug', shown.slug, 'name', shown.name)
        ORDER BY shown.name COLLATE "C", shown.id COLLATE "C"
      )
      FROM shown
      JOIN product_categories ON product_categories."categoryId" = shown.id
      WHERE product_categories."productId" = priced.id
    ), '[]'::json),
    'images', to_json(ARRAY(
      SELECT json_build_object('url', product_images.url, 'alt', coalesce(product_images."altText", ''))
      FROM product_images
      WHERE product_images."productId" = priced.id
      ORDER BY product_images."sortOrder", product_images.id COLLATE "C"
      LIMIT 5
    )),
    'variants', to_json(ARRAY(
      SELECT json_build_object(
        'sku', product_variants.sku,
        'name', product_variants.name,
        'value', product_variants.value,
        'regular_price', json_build_object(
          'amount', round(product_variants."regularPrice" * 100)::bigint, 'currency', 'MYR'
        ),
        'member_price', json_build_object(
          'amount', round(product_variants."memberPrice" * 100)::bigint, 'currency', 'MYR'
        ),
        'stock_quantity', CASE priced.status::text
          WHEN 'OUT_OF_STOCK' THEN 0
          ELSE product_variants."stockQuantity"
        END
      )
      FROM product_variants
      WHERE product_variants."productId" = priced.id
        -- NaN is no price, and what has none is not shown.
        AND abs(product_variants."regularPrice") < 1e15
        AND abs(product_variants."memberPrice") < 1e15
      ORDER BY product_variants.sku COLLATE "C"
    )),
    'updated_at',
    (extract(epoch FROM least(greatest(priced."updatedAt", '0001-01-01'), '9999-12-30')) * 1000000)::bigint
  )::text AS shows
FROM priced
