-- What a changed postcode writes.

CREATE OR REPLACE FUNCTION tingkat.postcode_changed() RETURNS trigger
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
      code, position, city, state_code,
      EXISTS (SELECT FROM old_rows OFFSET 1) AS is_one_of_several
    INTO old_row FROM old_rows;
    IF NOT FOUND THEN
      RETURN NULL;
    END IF;
    IF NOT old_row.is_one_of_several THEN
      SELECT
        code, position, city, state_code,
        false AS is_one_of_several
      INTO new_row FROM new_rows;
      IF old_row *<> new_row THEN
        INSERT INTO tingkat.change (kind, dep)
        SELECT 'f', left(dep, 600) FROM (
          VALUES
          ('postcode:' || old_row.code::text),
          ('postcode:' || new_row.code::text),
          ('postcodes.list')
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
    SELECT 'f', dep FROM unnest(ARRAY['postcode.*', 'postcodes.list']) AS dep
    ON CONFLICT DO NOTHING;
  ELSIF TG_OP = 'UPDATE' THEN
    INSERT INTO tingkat.change (kind, dep)
    -- Images that have no equal on the other side, in the columns that the statements read. Names
    -- that a collation takes for equal are not.
    WITH changed AS (
      SELECT code, position, city, state_code
      FROM (
        SELECT code::text COLLATE "C" AS code, position, city::text COLLATE "C" AS city,
          state_code::text COLLATE "C" AS state_code
        FROM old_rows
        UNION ALL
        SELECT code::text COLLATE "C" AS code, position, city::text COLLATE "C" AS city,
          state_code::text COLLATE "C" AS state_code
        FROM new_rows
      ) AS images
      GROUP BY code, position, city, state_code
      HAVING count(*) = 1
    )
    SELECT 'f', left(dep, 600) FROM (
      SELECT 'postcode:' || code FROM changed
      UNION SELECT 'postcodes.list' FROM changed
    ) AS deps (dep)
    WHERE dep IS NOT NULL
    ON CONFLICT DO NOTHING;
  ELSE
    INSERT INTO tingkat.change (kind, dep)
    SELECT 'f', left(dep, 600) FROM (
      SELECT 'postcode:' || code FROM all_rows
      UNION ALL SELECT 'postcodes.list' WHERE EXISTS (SELECT FROM all_rows)
    ) AS deps (dep)
    WHERE dep IS NOT NULL
    ON CONFLICT DO NOTHING;
  END IF;
  RETURN NULL;
END
$$;
