-- Says in place of a change and all before it that everything is different: what is older can not
-- be judged any more.
--
-- Parameters
--   ?1 integer  the id of the change
-- Result: none
UPDATE tingkat_change SET kind = 'f', dep = '*' WHERE tingkat_change.id = ?1
