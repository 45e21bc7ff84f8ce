-- Begins another incarnation of the log.
--
-- Parameters: none
-- Result: none
UPDATE tingkat_state SET renewal = randomblob(16)
