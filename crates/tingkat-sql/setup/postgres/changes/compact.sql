-- Takes a tick, and folds what every transaction of an older tick has seen. Gives the number of
-- folded rows; null when another session is at it.
CREATE OR REPLACE FUNCTION tingkat.compact(keep interval, most bigint) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  base record;
  newest xid8;
  folded bigint := 0;
BEGIN
  -- Of the transaction, not of the session: a pooler gives the session to somebody else.
  IF NOT pg_try_advisory_xact_lock(hashtextextended('tingkat compact', 0)) THEN
    RETURN NULL;
  END IF;
  -- A log without a life has nothing that anybody may rely on.
  PERFORM FROM tingkat.state;
  IF NOT FOUND THEN
    RETURN 0;
  END IF;
  SELECT at, snapshot INTO base FROM tingkat.tick
  WHERE at <= clock_timestamp() - keep ORDER BY at DESC LIMIT 1;
  IF FOUND THEN
    -- All below the tick's xmin had ended by then, so every one of their rows is visible here.
    WITH gone AS (
      DELETE FROM tingkat.change WHERE xid < pg_snapshot_xmin(base.snapshot)
      RETURNING dep, kind, xid
    ), kept AS (
      INSERT INTO tingkat.change_old AS old (dep, kind, max_xid)
      SELECT dep, kind, (array_agg(xid ORDER BY xid DESC))[1] FROM gone GROUP BY dep, kind
      ON CONFLICT (dep, kind) DO UPDATE SET max_xid = greatest(old.max_xid, excluded.max_xid)
    )
    SELECT count(*) INTO folded FROM gone;
    IF folded > 0 THEN
      UPDATE tingkat.state SET floor = base.snapshot;
    END IF;
    DELETE FROM tingkat.tick AS old WHERE old.at <= base.at;
  END IF;
  -- More than a node can remember become one row that refuses everything older.
  IF EXISTS (SELECT FROM tingkat.change_old OFFSET most) THEN
    SELECT max_xid INTO newest FROM tingkat.change_old ORDER BY max_xid DESC LIMIT 1;
    DELETE FROM tingkat.change_old;
    INSERT INTO tingkat.change_old (dep, kind, max_xid) VALUES ('*', 'f', newest);
  END IF;
  INSERT INTO tingkat.tick (snapshot)
  SELECT pg_current_snapshot()
  WHERE NOT EXISTS (SELECT FROM tingkat.tick WHERE at > clock_timestamp() - interval '20 seconds')
  ON CONFLICT DO NOTHING;
  RETURN folded;
END
$$;

-- Which release of the log this is; a service that needs another one says so.
COMMENT ON SCHEMA tingkat IS 'Tingkat change log, version 1';
