-- The day that it is now, in UTC.
--
-- Parameters: none
-- Result: one row
--   today  text: year-month-day
SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS today
