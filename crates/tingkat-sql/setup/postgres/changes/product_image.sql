-- What a changed image writes.

CREATE OR REPLACE FUNCTION tingkat.product_image_changed() RETURNS trigger
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
      product_id, position, url, alt,
      EXISTS (SELECT FROM old_rows OFFSET 1) AS is_one_of_several
    INTO old_row FROM old_rows;
    IF NOT FOUND THEN
      RETURN NULL;
    END IF;
    IF NOT old_row.is_one_of_several THEN
      SELECT
        product_id, position, url, alt,
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
      END IF;
      RETURN NULL;
    END IF;
    is_bulk := EXISTS (SELECT FROM new_rows OFFSET 10000);
  ELSIF NOT is_bulk THEN
    is_bulk := EXISTS (SELECT FROM all_rows OFFSET 10000);
  END IF;
  IF is_bulk THEN
    INSERT INTO tingkat.change (kind, dep)
    SELECT 'f', dep FROM unnest(ARRAY['product.*']) AS dep
    ON CONFLICT DO NOTHING;
  ELSIF TG_OP = 'UPDATE' THEN
    INSERT INTO tingkat.change (kind, dep)
    -- Images that have no equal on the other side, in the columns that the statements read. Names
    -- that a collation takes for equal are not.
    WITH changed AS (
      SELECT product_id, position, url, alt
      FROM (
        SELECT product_id::text COLLATE "C" AS product_id, position, url::text COLLATE "C" AS url,
          alt::text COLLATE "C" AS alt
        FROM old_rows
        UNION ALL
        SELECT product_id::text COLLATE "C" AS product_id, position, url::text COLLATE "C" AS url,
          alt::text COLLATE "C" AS alt
        FROM new_rows
      ) AS images
      GROUP BY product_id, position, url, alt
      HAVING count(*) = 1
    )
    SELECT 'f', left(dep, 600) FROM (
      SELECT 'product:' || product_id FROM changed
    ) AS deps (dep)
    WHERE dep IS NOT NULL
    ON CONFLICT DO NOTHING;
  ELSE
    INSERT INTO tingkat.change (kind, dep)
    SELECT 'f', left(dep, 600) FROM (
      SELECT 'product:' || product_id FROM all_rows
    ) AS deps (dep)
    WHERE dep IS NOT NULL
    ON CONFLICT DO NOTHING;
  END IF;
  RETURN NULL;
END
$$;
