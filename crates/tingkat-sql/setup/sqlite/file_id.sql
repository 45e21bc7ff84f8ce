-- Which file this is.
--
-- Parameters: none
-- Result: one row
--   id  blob: 16 bytes, drawn when the file was created
SELECT database_file.id
FROM database_file
