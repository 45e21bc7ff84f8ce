-- What a changed product writes. A listing changes only with what listings filter or sort by.

CREATE OR REPLACE FUNCTION tingkat.product_changed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  is_bulk boolean := TG_OP = 'TRUNCATE';
  old_row record;
  new_row record;
BEGIN
  IF TG_OP = 'UPDATE' THEN
    -- Nearly always one row, which costs half of what many rows do. Its images are compared byte
    -- by byte.
    SELECT
      id, sku, slug, name, status, featured, currency, regular_price, member_price,
      promotional_price, promotion_starts_at, promotion_ends_at, stock_quantity, low_stock_at,
      version, created_at, updated_at,
      EXISTS (SELECT FROM old_rows OFFSET 1) AS is_one_of_several
    INTO old_row FROM old_rows;
    IF NOT FOUND THEN
      RETURN NULL;
    END IF;
    IF NOT old_row.is_one_of_several THEN
      SELECT
        id, sku, slug, name, status, featured, currency, regular_price, member_price,
        promotional_price, promotion_starts_at, promotion_ends_at, stock_quantity, low_stock_at,
        version, created_at, updated_at,
        false AS is_one_of_several
      INTO new_row FROM new_rows;
      IF old_row *= new_row THEN
        -- What may be long is looked at last; apart, so that the rule before stays a cheap one.
        IF NOT EXISTS (
          SELECT FROM old_rows AS old_image, new_rows AS new_image
          WHERE old_image.description::text COLLATE "C"
            IS DISTINCT FROM new_image.description::text COLLATE "C"
        ) THEN
          RETURN NULL;
        END IF;
      END IF;
      -- What nobody looks up, lists or sorts by is taken for the same from here on.
      old_row.stock_quantity := new_row.stock_quantity;
      old_row.low_stock_at := new_row.low_stock_at;
      old_row.version := new_row.version;
      old_row.updated_at := new_row.updated_at;
      IF old_row *= new_row THEN
        INSERT INTO tingkat.change (kind, dep)
        VALUES ('f', left('product:' || new_row.id::text, 600))
        ON CONFLICT DO NOTHING;
        RETURN NULL;
      END IF;
      INSERT INTO tingkat.change (kind, dep)
      SELECT 'f', left(names.dep, 600)
      FROM (
        VALUES
          ('product:', old_row.id::text, new_row.id::text),
          ('product.sku:', old_row.sku::text, new_row.sku::text),
          ('product.slug:', old_row.slug::text, new_row.slug::text)
      ) AS images (prefix, old_name, new_name)
      CROSS JOIN LATERAL (VALUES (images.prefix || images.old_name), (images.prefix || images.new_name)) AS names (dep)
      WHERE names.dep IS NOT NULL
        AND (
          images.prefix = 'product:'
          OR images.old_name COLLATE "C" IS DISTINCT FROM images.new_name COLLATE "C"
          OR old_row.id::text COLLATE "C" IS DISTINCT FROM new_row.id::text COLLATE "C"
        )
      ON CONFLICT DO NOTHING;
      old_row.sku := new_row.sku;
      old_row.slug := new_row.slug;
      IF old_row *<> new_row THEN
        INSERT INTO tingkat.change (kind, dep) VALUES ('f', 'products.list')
        ON CONFLICT DO NOTHING;
      END IF;
      RETURN NULL;
    END IF;
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
        stock_quantity, low_stock_at, featured, version, created_at, updated_at
      FROM old_rows
    ), now AS NOT MATERIALIZED (
      SELECT id::text COLLATE "C" AS id, sku::text COLLATE "C" AS sku, slug::text COLLATE "C" AS slug,
        name::text COLLATE "C" AS name, description::text COLLATE "C" AS description,
        status::text COLLATE "C" AS status, currency::text COLLATE "C" AS currency,
        regular_price, member_price, promotional_price, promotion_starts_at, promotion_ends_at,
        stock_quantity, low_stock_at, featured, version, created_at, updated_at
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
              was.promotion_ends_at, was.created_at
            ) IS DISTINCT FROM (
              now.name, now.status, now.featured, now.currency, now.regular_price,
              now.member_price, now.promotional_price, now.promotion_starts_at,
              now.promotion_ends_at, now.created_at
            )
        )
    ) AS deps (dep, is_changed)
    WHERE deps.is_changed
      AND deps.dep IS NOT NULL
      AND (
        was.id, was.sku, was.slug, was.name, was.description, was.status, was.currency,
        was.regular_price, was.member_price, was.promotional_price, was.promotion_starts_at,
        was.promotion_ends_at, was.stock_quantity, was.low_stock_at, was.featured, was.version,
        was.created_at, was.updated_at
      ) IS DISTINCT FROM (
        now.id, now.sku, now.slug, now.name, now.description, now.status, now.currency,
        now.regular_price, now.member_price, now.promotional_price, now.promotion_starts_at,
        now.promotion_ends_at, now.stock_quantity, now.low_stock_at, now.featured, now.version,
        now.created_at, now.updated_at
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
