-- Gives the row of the copy another key; `{key}` stands for the column.
--
-- Parameters: none
-- Result: none
UPDATE pg_temp.tingkat_rehearsal SET {key} = {key} || '~'
