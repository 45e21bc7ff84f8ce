-- Keeps a row of a table aside; `{table}` stands for its name.
--
-- Parameters: none
-- Result: none
CREATE TEMPORARY TABLE tingkat_row ON COMMIT DROP AS SELECT * FROM {table} LIMIT 1
