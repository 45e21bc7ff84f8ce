-- How each step is taken: writers queue behind a lock that is waited for, so never for long.
SET LOCAL lock_timeout = '2s';
SET LOCAL statement_timeout = '5min';
SET LOCAL client_min_messages = warning;
SELECT pg_advisory_xact_lock(hashtextextended('tingkat schema install', 0));
