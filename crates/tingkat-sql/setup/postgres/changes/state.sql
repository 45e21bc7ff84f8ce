-- What a changed state writes. In bulk also what shows names of states.

CREATE OR REPLACE FUNCTION tingkat.state_changed() RETURNS trigger
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
      code, name, zone,
      EXISTS (SELECT FROM old_rows OFFSET 1) AS is_one_of_several
    INTO old_row FROM old_rows;
    IF NOT FOUND THEN
      RETURN NULL;
    END IF;
    IF NOT old_row.is_one_of_several THEN
      SELECT
        code, name, zone,
        false AS is_one_of_several
      INTO new_row FROM new_rows;
      IF old_row *<> new_row THEN
        INSERT INTO tingkat.change (kind, dep)
        SELECT 'f', left(dep, 600) FROM (
          VALUES
          ('state:' || old_row.code::text),
          ('state:' || new_row.code::text),
          (
            CASE WHEN old_row.code::text COLLATE "C" IS DISTINCT FROM new_row.code::text COLLATE "C"
              THEN 'states.list' END
          )
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
    SELECT 'f', dep FROM unnest(ARRAY['states.*', 'states.list', 'postcode.*', 'postcodes.list']) AS dep
    ON CONFLICT DO NOTHING;
  ELSIF TG_OP = 'UPDATE' THEN
    INSERT INTO tingkat.change (kind, dep)
    -- Images that have no equal on the other side, in the columns that the statements read. Names
    -- that a collation takes for equal are not.
    WITH changed AS (
      SELECT code, name, zone
      FROM (
        SELECT code::text COLLATE "C" AS code, name::text COLLATE "C" AS name,
          zone::text COLLATE "C" AS zone
        FROM old_rows
        UNION ALL
        SELECT code::text COLLATE "C" AS code, name::text COLLATE "C" AS name,
          zone::text COLLATE "C" AS zone
        FROM new_rows
      ) AS images
      GROUP BY code, name, zone
      HAVING count(*) = 1
    )
    SELECT 'f', left(dep, 600) FROM (
      SELECT 'state:' || code FROM changed
      UNION SELECT 'states.list' FROM changed GROUP BY code HAVING count(*) = 1
    ) AS deps (dep)
    WHERE dep IS NOT NULL
    ON CONFLICT DO NOTHING;
  ELSE
    INSERT INTO tingkat.change (kind, dep)
    SELECT 'f', left(dep, 600) FROM (
      SELECT 'state:' || code FROM all_rows
      UNION ALL SELECT 'states.list' WHERE EXISTS (SELECT FROM all_rows)
    ) AS deps (dep)
    WHERE dep IS NOT NULL
    ON CONFLICT DO NOTHING;
  END IF;
  RETURN NULL;
END
$$;
