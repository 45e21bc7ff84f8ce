-- This store lists its items elsewhere: every page is empty.
SELECT page.document::json ->> 'key' AS key, '[]' AS items, '[]' AS categories,
  NULL::bigint AS changes_in
FROM unnest($1::text[]) AS page (document)
