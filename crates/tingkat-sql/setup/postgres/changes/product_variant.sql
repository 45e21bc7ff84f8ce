-- What a changed variant writes. Its product is found by its sku as well.

CREATE OR REPLACE FUNCTION tingkat.product_variant_changed() RETURNS trigger
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
      sku, product_id, name, value, regular_price, member_price, stock_quantity,
      EXISTS (SELECT FROM old_rows OFFSET 1) AS is_one_of_several
    INTO old_row FROM old_rows;
    IF NOT FOUND THEN
      RETURN NULL;
    END IF;
    IF NOT old_row.is_one_of_several THEN
      SELECT
        sku, product_id, name, value, regular_price, member_price, stock_quantity,
        false AS is_one_of_several
      INTO new_row FROM new_rows;
      IF old_row *<> new_row THEN
        INSERT INTO tingkat.change (kind, dep)
        SELECT 'f', left(dep, 600) FROM (
          VALUES
          ('product:' || old_row.product_id::text),
          ('product:' || new_row.product_id::text)
        ) AS deps (dep)
        WHERE dep IS NOT NULL
        ON CONFLICT DO NOTHING;
        -- A sale writes the stock; whose sku it is changes once in a lifetime.
        IF (old_row.sku::text COLLATE "C", old_row.product_id::text COLLATE "C")
          IS DISTINCT FROM (new_row.sku::text COLLATE "C", new_row.product_id::text COLLATE "C")
        THEN
          INSERT INTO tingkat.change (kind, dep)
          SELECT 'f', left(dep, 600) FROM (
            VALUES ('product.sku:' || old_row.sku::text), ('product.sku:' || new_row.sku::text)
          ) AS deps (dep)
          WHERE dep IS NOT NULL
          ON CONFLICT DO NOTHING;
        END IF;
      END IF;
      RETURN NULL;
    END IF;
    is_bulk := EXISTS (SELECT FROM new_rows OFFSET 10000);
  ELSIF NOT is_bulk THEN
    is_bulk := EXISTS (SELECT FROM all_rows OFFSET 10000);
  END IF;
  IF is_bulk THEN
    INSERT INTO tingkat.change (kind, dep)
    SELECT 'f', dep FROM unnest(ARRAY['product.*', 'product.sku.*']) AS dep
    ON CONFLICT DO NOTHING;
  ELSIF TG_OP = 'UPDATE' THEN
    INSERT INTO tingkat.change (kind, dep)
    -- Images that have no equal on the other side, in the columns that the statements read. Names
    -- that a collation takes for equal are not.
    WITH changed AS (
      SELECT sku, product_id, name, value, regular_price, member_price, stock_quantity
      FROM (
        SELECT sku::text COLLATE "C" AS sku, product_id::text COLLATE "C" AS product_id,
          name::text COLLATE "C" AS name, value::text COLLATE "C" AS value, regular_price,
          member_price, stock_quantity
        FROM old_rows
        UNION ALL
        SELECT sku::text COLLATE "C" AS sku, product_id::text COLLATE "C" AS product_id,
          name::text COLLATE "C" AS name, value::text COLLATE "C" AS value, regular_price,
          member_price, stock_quantity
        FROM new_rows
      ) AS images
      GROUP BY sku, product_id, name, value, regular_price, member_price, stock_quantity
      HAVING count(*) = 1
    )
    SELECT 'f', left(dep, 600) FROM (
      SELECT 'product:' || product_id FROM changed
      UNION SELECT 'product.sku:' || sku FROM changed
      GROUP BY sku, product_id
      HAVING count(*) = 1
    ) AS deps (dep)
    WHERE dep IS NOT NULL
    ON CONFLICT DO NOTHING;
  ELSE
    INSERT INTO tingkat.change (kind, dep)
    SELECT 'f', left(dep, 600) FROM (
      SELECT 'product:' || product_id FROM all_rows
      UNION ALL SELECT 'product.sku:' || sku FROM all_rows
    ) AS deps (dep)
    WHERE dep IS NOT NULL
    ON CONFLICT DO NOTHING;
  END IF;
  RETURN NULL;
END
$$;
