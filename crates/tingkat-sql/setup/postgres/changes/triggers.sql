-- The triggers of one table; `{table}` stands for its name. They are of the statement, so that a
-- bulk change costs one call, and each makes writers wait only while it is created.

CREATE OR REPLACE TRIGGER tingkat_insert AFTER INSERT ON {table}
  REFERENCING NEW TABLE AS all_rows
  FOR EACH STATEMENT EXECUTE FUNCTION tingkat.{table}_changed();
CREATE OR REPLACE TRIGGER tingkat_update AFTER UPDATE ON {table}
  REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION tingkat.{table}_changed();
CREATE OR REPLACE TRIGGER tingkat_delete AFTER DELETE ON {table}
  REFERENCING OLD TABLE AS all_rows
  FOR EACH STATEMENT EXECUTE FUNCTION tingkat.{table}_changed();
CREATE OR REPLACE TRIGGER tingkat_truncate AFTER TRUNCATE ON {table}
  FOR EACH STATEMENT EXECUTE FUNCTION tingkat.{table}_changed();
-- What happened to the table before is not in the log.
SELECT tingkat.forget(ARRAY['*']);
