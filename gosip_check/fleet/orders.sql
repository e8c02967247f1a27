-- Reports of an order desk in PostgreSQL: tables, index, load, and three questions. docs/fleet.md says how it is used.
--
-- The files come from three commands, each on a folder of reports:
--   gosip-check report check DIR --jsonl          > checked.jsonl
--   gosip-check report table DIR                  > reports.csv
--   gosip-check report table --verdicts DIR       > verdicts.csv
-- psql -f orders.sql runs all of it, in the folder of these files. Loading the same files again changes nothing.

CREATE TABLE IF NOT EXISTS report (
  id text PRIMARY KEY, path text NOT NULL, site text, started timestamptz NOT NULL, checklist text NOT NULL,
  checklist_version text NOT NULL, checklist_sha256 text NOT NULL, tool_version text NOT NULL, command text NOT NULL,
  elapsed_s double precision NOT NULL, outcome text NOT NULL, pass integer NOT NULL, warn integer NOT NULL,
  fail integer NOT NULL, unknown integer NOT NULL, skipped integer NOT NULL, failed text, company text,
  pbx_vendor text, pbx_model text, router_vendor text, router_model text, router_release text, links text,
  public_addresses text, trust text, contradictions jsonb
);
CREATE TABLE IF NOT EXISTS verdict (
  id text NOT NULL REFERENCES report (id) ON DELETE CASCADE, link text NOT NULL, requirement text NOT NULL,
  level text NOT NULL, outcome text NOT NULL, reason text NOT NULL, PRIMARY KEY (id, link, requirement)
);
CREATE INDEX IF NOT EXISTS verdict_requirement ON verdict (requirement, outcome);
CREATE INDEX IF NOT EXISTS report_site ON report (site, started);

-- Load: into tables of this session first, so that a report that is here already stays as it is.
CREATE TEMPORARY TABLE new_report (LIKE report);
ALTER TABLE new_report DROP COLUMN trust, DROP COLUMN contradictions;
CREATE TEMPORARY TABLE new_verdict (
  path text, id text, site text, started timestamptz, checklist text, router_vendor text, router_model text, link text,
  requirement text, level text, outcome text, reason text
);
CREATE TEMPORARY TABLE checked (line jsonb);
\copy new_report (path, id, site, started, checklist, checklist_version, checklist_sha256, tool_version, command, elapsed_s, outcome, pass, warn, fail, unknown, skipped, failed, company, pbx_vendor, pbx_model, router_vendor, router_model, router_release, links, public_addresses) FROM 'reports.csv' WITH (FORMAT csv, HEADER MATCH)
\copy new_verdict FROM 'verdicts.csv' WITH (FORMAT csv, HEADER MATCH)
-- One JSON document a line: two characters that JSON never holds unescaped stand for quote and delimiter.
\copy checked FROM 'checked.jsonl' WITH (FORMAT csv, QUOTE E'\x01', DELIMITER E'\x02')

INSERT INTO report
SELECT DISTINCT ON (id) new_report.*, line ->> 'trust', line -> 'contradictions'
FROM new_report LEFT JOIN checked ON line ->> 'path' = new_report.path
ORDER BY id, line ->> 'trust' = 'not-right' DESC
ON CONFLICT DO NOTHING;
INSERT INTO verdict
SELECT id, link, requirement, level, outcome, reason FROM new_verdict
ON CONFLICT DO NOTHING;
ANALYZE report, verdict;

\echo 'Which sites have a SIP ALG, by router model?'
SELECT router_vendor, router_model, count(DISTINCT site) AS sites, string_agg(DISTINCT site, ' ' ORDER BY site) AS which
FROM verdict JOIN report USING (id)
WHERE requirement LIKE 'alg.%' AND verdict.outcome = 'fail' AND trust <> 'not-right'
GROUP BY router_vendor, router_model ORDER BY sites DESC, router_vendor, router_model LIMIT 10;

\echo 'What keeps most sites from being ready?'
SELECT requirement, count(DISTINCT site) AS sites
FROM verdict JOIN report USING (id)
WHERE level = 'must' AND verdict.outcome = 'fail'
GROUP BY requirement ORDER BY sites DESC, requirement LIMIT 10;

\echo 'Which sites were ready before, and are not in their last report?'
WITH ranked AS (
  SELECT site, started, outcome, row_number() OVER (PARTITION BY site ORDER BY started DESC) AS age FROM report
)
SELECT site, max(started) AS since
FROM ranked GROUP BY site
HAVING bool_or(age = 1 AND outcome = 'not-ready') AND bool_or(age > 1 AND outcome = 'ready')
ORDER BY since DESC, site LIMIT 20;
