-- Tries the triggers of a table on no rows at all, and undoes it: what does not fit its columns fails
-- the installation, and not the store's own writes. `{table}` stands for its name in a literal. A
-- role that may not write the table tries nothing.

DO $trial$
DECLARE
  watched regclass := '{table}';
  columns text;
  one text;
BEGIN
  SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum), min(quote_ident(attname))
  INTO columns, one
  FROM pg_catalog.pg_attribute
  WHERE attrelid = watched AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
    AND attidentity <> 'a';
  EXECUTE format('INSERT INTO %s (%s) SELECT %s FROM %s WHERE false', watched, columns, columns, watched);
  EXECUTE format('UPDATE %s SET %s = %s WHERE false', watched, one, one);
  EXECUTE format('DELETE FROM %s WHERE false', watched);
  RAISE EXCEPTION USING ERRCODE = 'TK000', MESSAGE = 'undone';
EXCEPTION
  WHEN SQLSTATE 'TK000' OR insufficient_privilege THEN
    NULL;
END
$trial$;
