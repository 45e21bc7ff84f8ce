-- What a changed product writes. A listing changes only with what listings filter or sort by.

CREATE OR REPLACE FUNCTION tingkat.product_changed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  is_bulk boolean := TG_OP = 'TRUNCATE';
BEGIN
  IF TG_OP = 'UPDATE' THEN
    is_bulk := EXISTS (SELECT FROM new_rows OFFSET 10000);
  ELSIF NOT is_bulk THEN
    is_bulk := EXISTS (SELECT FROM all_rows OFFSET 10000);
  END IF;
  IF is_bulk THEN
    INSERT INTO tingkat.change (kind, dep)
    SELECT 'f', dep FROM unnest(ARRAY['product.*', 'product.sku.*', 'product.slug.*', 'products.list']) AS dep
    ON CONFLICT DO NOTHING;
  ELSIF TG_OP = 'UPDATE' THEN
    INSERT INTO tingkat.change (kind, dep)
    -- The two images of each row, in the columns that the statements read; a row whose id changed
    -- is two rows. Names that a collation takes for equal are not.
    WITH was AS NOT MATERIALIZED (
      SELECT id::text COLLATE "C" AS id, sku::text COLLATE "C" AS sku, slug::text COLLATE "C" AS slug,
        name::text COLLATE "C" AS name, description::text COLLATE "C" AS description,
        status::text COLLATE "C" AS status, currency::text COLLATE "C" AS currency,
        regular_price, member_price, promotional_price, promotion_starts_at, promotion_ends_at,
        stock_quantity, low_stock_at, featured, version, updated_at
      FROM old_rows
    ), now AS NOT MATERIALIZED (
      SELECT id::text COLLATE "C" AS id, sku::text COLLATE "C" AS sku, slug::text COLLATE "C" AS slug,
        name::text COLLATE "C" AS name, description::text COLLATE "C" AS description,
        status::text COLLATE "C" AS status, currency::text COLLATE "C" AS currency,
        regular_price, member_price, promotional_price, promotion_starts_at, promotion_ends_at,
        stock_quantity, low_stock_at, featured, version, updated_at
      FROM new_rows
    )
    SELECT 'f', left(deps.dep, 600)
    FROM was
    FULL JOIN now ON was.id = now.id
    CROSS JOIN LATERAL (
      VALUES
        ('product:' || coalesce(was.id, now.id), true),
        ('product.sku:' || was.sku, was.sku IS DISTINCT FROM now.sku),
        ('product.sku:' || now.sku, was.sku IS DISTINCT FROM now.sku),
        ('product.slug:' || was.slug, was.slug IS DISTINCT FROM now.slug),
        ('product.slug:' || now.slug, was.slug IS DISTINCT FROM now.slug),
        (
          'products.list',
          was.id IS NULL OR now.id IS NULL
            OR (
              was.name, was.status, was.featured, was.currency, was.regular_price,
              was.member_price, was.promotional_price, was.promotion_starts_at,
              was.promotion_ends_at
            ) IS DISTINCT FROM (
              now.name, now.status, now.featured, now.currency, now.regular_price,
              now.member_price, now.promotional_price, now.promotion_starts_at,
              now.promotion_ends_at
            )
        )
    ) AS deps (dep, is_changed)
    WHERE deps.is_changed
      AND deps.dep IS NOT NULL
      AND (
        was.id, was.sku, was.slug, was.name, was.description, was.status, was.currency,
        was.regular_price, was.member_price, was.promotional_price, was.promotion_starts_at,
        was.promotion_ends_at, was.stock_quantity, was.low_stock_at, was.featured, was.version,
        was.updated_at
      ) IS DISTINCT FROM (
        now.id, now.sku, now.slug, now.name, now.description, now.status, now.currency,
        now.regular_price, now.member_price, now.promotional_price, now.promotion_starts_at,
        now.promotion_ends_at, now.stock_quantity, now.low_stock_at, now.featured, now.version,
        now.updated_at
      )
    ON CONFLICT DO NOTHING;
  ELSE
    INSERT INTO tingkat.change (kind, dep)
    SELECT 'f', left(dep, 600) FROM (
      SELECT 'product:' || id FROM all_rows
      UNION ALL SELECT 'product.sku:' || sku FROM all_rows
      UNION ALL SELECT 'product.slug:' || slug FROM all_rows
      UNION ALL SELECT 'products.list' WHERE EXISTS (SELECT FROM all_rows)
    ) AS deps (dep)
    WHERE dep IS NOT NULL
    ON CONFLICT DO NOTHING;
  END IF;
  RETURN NULL;
END
$$;
