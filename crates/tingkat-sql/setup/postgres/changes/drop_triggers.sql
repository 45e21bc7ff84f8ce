-- Removes the triggers of one table; `{table}` stands for its name.

DROP TRIGGER IF EXISTS tingkat_insert ON {table};
DROP TRIGGER IF EXISTS tingkat_update ON {table};
DROP TRIGGER IF EXISTS tingkat_delete ON {table};
DROP TRIGGER IF EXISTS tingkat_truncate ON {table};
