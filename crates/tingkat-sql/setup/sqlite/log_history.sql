-- The newest change of everything that the log still knows, with all that log_position tells of the
-- same instant.
--
-- Parameters
--   ?1 integer  how many at most
-- Result: one row
--   position, renewal, schema_version  as of log_position
--   rows     integer: how many the log has about
--   kept     integer: how many were left when it was compacted the last time
--   changes  text: JSON [[id, kind, dep]], in any order
SELECT
  coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'tingkat_change'), 0) AS position,
  hex(tingkat_state.renewal) AS renewal,
  (SELECT schema_version FROM pragma_schema_version) AS schema_version,
  coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'tingkat_change'), 0)
    - tingkat_state.compacted_to + tingkat_state.kept AS rows,
  tingkat_state.kept,
  (
    SELECT json_group_array(json_array(change.id, change.kind, change.dep))
    FROM (
      SELECT max(tingkat_change.id) AS id, tingkat_change.kind, tingkat_change.dep
      FROM tingkat_change
      GROUP BY tingkat_change.kind, tingkat_change.dep
      LIMIT ?1
    ) AS change
  ) AS changes
FROM tingkat_state
