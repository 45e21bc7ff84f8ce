-- The day that it is now, in UTC.
--
-- Parameters: none
-- Result: one row
--   today  text: year-month-day
SELECT date('now') AS today
