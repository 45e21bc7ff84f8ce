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
    -- Images that have no equal on the other side, in the columns that the statements read.
    WITH changed AS (
      SELECT id, sku, slug, name, description, status, currency, regular_price,
        member_price, promotional_price, promotion_starts_at, promotion_ends_at,
        stock_quantity, low_stock_at, featured, version, updated_at
      FROM (TABLE old_rows UNION ALL TABLE new_rows) AS images
      GROUP BY id, sku, slug, name, description, status, currency, regular_price,
        member_price, promotional_price, promotion_starts_at, promotion_ends_at,
        stock_quantity, low_stock_at, featured, version, updated_at
      HAVING count(*) = 1
    )
    SELECT 'f', left(dep, 600) FROM (
      SELECT 'product:' || id FROM changed
      UNION SELECT 'product.sku:' || sku FROM changed GROUP BY id, sku HAVING count(*) = 1
      UNION SELECT 'product.slug:' || slug FROM changed GROUP BY id, slug HAVING count(*) = 1
      UNION SELECT 'products.list' FROM changed
        GROUP BY id, name, status, featured, currency, regular_price, member_price,
          promotional_price, promotion_starts_at, promotion_ends_at
        HAVING count(*) = 1
    ) AS deps (dep)
    WHERE dep IS NOT NULL
    ON CONFLICT DO NOTHING;
  ELSE
    INSERT INTO tingkat.change (kind, dep)
    SELECT 'f', left(dep, 600) FROM (
      SELECT 'product:' || id FROM all_rows
      UNION SELECT 'product.sku:' || sku FROM all_rows
      UNION SELECT 'product.slug:' || slug FROM all_rows
      UNION SELECT 'products.list' FROM all_rows
    ) AS deps (dep)
    WHERE dep IS NOT NULL
    ON CONFLICT DO NOTHING;
  END IF;
  RETURN NULL;
END
$$;
