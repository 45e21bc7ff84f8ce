-- Notes that the log was compacted.
--
-- Parameters: none
-- Result: none
UPDATE tingkat_state
SET
  compacted_to = coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'tingkat_change'), 0),
  kept = (SELECT count(*) FROM tingkat_change)
