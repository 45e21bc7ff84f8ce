-- How far the change log goes, and what tells it from any other.
--
-- Parameters: none
-- Result: one row
--   position        integer: the id of the newest row that there ever was
--   renewal         text: drawn anew where the file was proven to be an older copy of itself
--   schema_version  integer: moves with every change of the schema, and when a backup is restored
--                   into the file
SELECT
  coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'tingkat_change'), 0) AS position,
  hex(tingkat_state.renewal) AS renewal,
  (SELECT schema_version FROM pragma_schema_version) AS schema_version
FROM tingkat_state
