-- Opens the installation of the demo store: one at a time per database, for as long as it takes.
SET LOCAL statement_timeout = 0;
SET LOCAL lock_timeout = '10s';
SELECT pg_advisory_xact_lock(hashtextextended('tingkat schema install', 0));
