-- What a changed category writes. In bulk also what shows names of categories.

CREATE OR REPLACE FUNCTION tingkat.category_changed() RETURNS trigger
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
      id, parent_id, slug, name, active,
      EXISTS (SELECT FROM old_rows OFFSET 1) AS is_one_of_several
    INTO old_row FROM old_rows;
    IF NOT FOUND THEN
      RETURN NULL;
    END IF;
    IF NOT old_row.is_one_of_several THEN
      SELECT
        id, parent_id, slug, name, active,
        false AS is_one_of_several
      INTO new_row FROM new_rows;
      IF old_row *<> new_row THEN
        INSERT INTO tingkat.change (kind, dep)
        SELECT 'f', left(dep, 600) FROM (
          VALUES
          ('category:' || old_row.id::text),
          ('category:' || new_row.id::text),
          ('categories.tree')
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
    SELECT 'f', dep FROM unnest(ARRAY['category.*', 'categories.tree', 'product.*', 'products.list']) AS dep
    ON CONFLICT DO NOTHING;
  ELSIF TG_OP = 'UPDATE' THEN
    INSERT INTO tingkat.change (kind, dep)
    -- Images that have no equal on the other side, in the columns that the statements read. Names
    -- that a collation takes for equal are not.
    WITH changed AS (
      SELECT id, parent_id, slug, name, active
      FROM (
        SELECT id::text COLLATE "C" AS id, parent_id::text COLLATE "C" AS parent_id,
          slug::text COLLATE "C" AS slug, name::text COLLATE "C" AS name, active
        FROM old_rows
        UNION ALL
        SELECT id::text COLLATE "C" AS id, parent_id::text COLLATE "C" AS parent_id,
          slug::text COLLATE "C" AS slug, name::text COLLATE "C" AS name, active
        FROM new_rows
      ) AS images
      GROUP BY id, parent_id, slug, name, active
      HAVING count(*) = 1
    )
    SELECT 'f', left(dep, 600) FROM (
      SELECT 'category:' || id FROM changed
      UNION SELECT 'categories.tree' FROM changed
    ) AS deps (dep)
    WHERE dep IS NOT NULL
    ON CONFLICT DO NOTHING;
  ELSE
    INSERT INTO tingkat.change (kind, dep)
    SELECT 'f', left(dep, 600) FROM (
      SELECT 'category:' || id FROM all_rows
      UNION ALL SELECT 'categories.tree' WHERE EXISTS (SELECT FROM all_rows)
    ) AS deps (dep)
    WHERE dep IS NOT NULL
    ON CONFLICT DO NOTHING;
  END IF;
  RETURN NULL;
END
$$;
