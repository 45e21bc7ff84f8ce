-- Which file this is.
--
-- Parameters: none
-- Result: one row
--   id      blob: 16 bytes, drawn when the file was created
--   random  text: 16 bytes in hexadecimal digits, drawn now
SELECT database_file.id, hex(randomblob(16)) AS random
FROM database_file
