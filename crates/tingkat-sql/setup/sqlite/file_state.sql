-- What the file is.
--
-- Parameters: none
-- Result: one row
--   application_id  integer: by this number a program marks its files; 0 is nobody's
--   user_version    integer: how many migrations the file has had
--   relations       integer: how many tables, indexes and views it has
SELECT
  (SELECT application_id FROM pragma_application_id) AS application_id,
  (SELECT user_version FROM pragma_user_version) AS user_version,
  (SELECT count(*) FROM sqlite_schema) AS relations
