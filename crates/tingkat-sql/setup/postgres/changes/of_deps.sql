-- What changed rows of a table write, by a statement that gives the deps of `rows` and what of a row
-- each rests on. In braces stand the function's name, that statement, and what many rows write
-- together.

CREATE OR REPLACE FUNCTION tingkat.{function}() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $tingkat$
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
    SELECT 'f', dep FROM unnest(ARRAY[{bulk}]) AS dep
    ON CONFLICT DO NOTHING;
  ELSIF TG_OP = 'UPDATE' THEN
    INSERT INTO tingkat.change (kind, dep)
    -- Deps that rest on something else on the other side. Names that a collation takes for equal
    -- are not.
    WITH was AS MATERIALIZED (
      WITH rows AS NOT MATERIALIZED (SELECT * FROM old_rows)
      SELECT dep::text COLLATE "C" AS dep, to_jsonb(seen) AS seen
      FROM (
{deps}
      ) AS deps
    ), now AS MATERIALIZED (
      WITH rows AS NOT MATERIALIZED (SELECT * FROM new_rows)
      SELECT dep::text COLLATE "C" AS dep, to_jsonb(seen) AS seen
      FROM (
{deps}
      ) AS deps
    )
    SELECT 'f', left(changed.dep, 600)
    FROM (
      (SELECT dep, seen FROM was EXCEPT ALL SELECT dep, seen FROM now)
      UNION ALL
      (SELECT dep, seen FROM now EXCEPT ALL SELECT dep, seen FROM was)
    ) AS changed
    WHERE changed.dep IS NOT NULL
    ON CONFLICT DO NOTHING;
  ELSE
    INSERT INTO tingkat.change (kind, dep)
    WITH rows AS NOT MATERIALIZED (SELECT * FROM all_rows)
    SELECT 'f', left(deps.dep::text, 600)
    FROM (
{deps}
    ) AS deps
    WHERE deps.dep IS NOT NULL
    ON CONFLICT DO NOTHING;
  END IF;
  RETURN NULL;
END
$tingkat$;
