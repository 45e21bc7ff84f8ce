-- Gives the row of the copy another key of the same length; `{key}` stands for the column.
--
-- Parameters: none
-- Result: none
UPDATE pg_temp.tingkat_rehearsal SET {key} = left({key}, -1) || '~'
