-- What applications and the service call. Each runs with the rights of the role that installed it,
-- so that its callers need none on the tables.

-- Forgets what shows these deps, once the caller's transaction commits. Gives the transaction for
-- read-your-writes.
CREATE OR REPLACE FUNCTION tingkat.forget(deps text[]) RETURNS xid8
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM tingkat.append(array_fill('f'::text, ARRAY[cardinality(deps)]), deps);
  RETURN pg_current_xact_id();
END
$$;

-- Writes rows of any kind in the caller's transaction.
CREATE OR REPLACE FUNCTION tingkat.append(kinds text[], deps text[]) RETURNS xid8
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  -- An index takes no longer ones, and the error that it would give names none.
  IF EXISTS (SELECT FROM unnest(deps) AS dep WHERE dep IS NULL OR octet_length(dep) NOT BETWEEN 1 AND 2000) THEN
    RAISE EXCEPTION 'a dep has 1 to 2000 bytes' USING ERRCODE = 'invalid_parameter_value';
  END IF;
  IF EXISTS (SELECT FROM unnest(kinds) AS kind WHERE kind IS NULL OR kind NOT IN ('f', 'e', 'p')) THEN
    RAISE EXCEPTION 'a kind is f, e or p' USING ERRCODE = 'invalid_parameter_value';
  END IF;
  INSERT INTO tingkat.change (kind, dep)
  SELECT kind::"char", dep FROM unnest(kinds, deps) AS new_rows (kind, dep)
  ON CONFLICT DO NOTHING;
  RETURN pg_current_xact_id();
END
$$;

-- Which cluster this is, where that may be known: copies of a database have the same uuid.
CREATE OR REPLACE FUNCTION tingkat.system_id() RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RETURN (SELECT system_identifier::text FROM pg_control_system());
EXCEPTION WHEN insufficient_privilege OR undefined_function THEN
  RETURN '';
END
$$;

-- Begins a new life of the log if it has none, or still the one that was seen; tells whether it did.
CREATE OR REPLACE FUNCTION tingkat.renew(seen uuid) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  INSERT INTO tingkat.state (incarnation) VALUES (gen_random_uuid())
  ON CONFLICT (is_only) DO UPDATE SET incarnation = excluded.incarnation, floor = NULL
  WHERE state.incarnation = seen;
  IF NOT FOUND THEN
    RETURN false;
  END IF;
  -- Numbers of another life mean nothing in this one, and those ahead of it would never be covered.
  DELETE FROM tingkat.change;
  DELETE FROM tingkat.change_old;
  DELETE FROM tingkat.tick;
  RETURN true;
END
$$;
