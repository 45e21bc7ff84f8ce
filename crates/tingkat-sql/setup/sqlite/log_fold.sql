-- Removes the changes that are followed by another one of the same name: whoever has not seen the
-- older one has not seen the newer one either.
--
-- Parameters: none
-- Result: none
DELETE FROM tingkat_change
WHERE tingkat_change.id NOT IN (
  SELECT max(newest.id)
  FROM tingkat_change AS newest
  GROUP BY newest.kind, newest.dep
)
