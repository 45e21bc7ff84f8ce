-- The deps that this transaction wrote to the change log.
--
-- Parameters: none
-- Result: one row per dep
--   dep  text
SELECT c.dep FROM tingkat.change AS c WHERE c.xid = pg_current_xact_id()
