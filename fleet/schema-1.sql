-- SPDX-License-Identifier: LGPL-2.1-or-later
-- The central store of espdfu's records, version 1. `espdfu-collect --init` runs what a database lacks, in one transaction;
-- docs/fleet.md says what is in it. A version that was released is never changed here: the next one is schema-2.sql.

CREATE SCHEMA espdfu;
COMMENT ON SCHEMA espdfu IS 'Records of espdfu''s flashing stations: docs/fleet.md';

-- One row, always: what the schema is.
CREATE TABLE espdfu.version (
  version integer NOT NULL,
  one boolean PRIMARY KEY DEFAULT true CHECK (one)
);

-- A station is its ledger: a new ledger begins at 1 again, and has another station_id. name: the one in the topics under which
-- it was first heard; what comes of it under another one is a dead letter until rename_station() was called. sequence: every
-- record up to this one is in record or in dead_letter.
CREATE TABLE espdfu.station (
  station_id text COLLATE "C" PRIMARY KEY CHECK (station_id ~ '^[0-9a-f]{32}$'),
  name text NOT NULL,
  sequence bigint NOT NULL DEFAULT 0,
  first_seen timestamptz NOT NULL DEFAULT now(),
  last_seen timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX station_name ON espdfu.station (name);

-- A row for each attempt that has ended, as the station's ledger has it: docs/ledger.md says what the columns mean, but for
-- previous: the number before it in what the station sent; start_time, end_time: start_realtime_usec, end_realtime_usec;
-- received_time: when it came; unknown: fields that this version of the schema has no column for.
CREATE TABLE espdfu.record (
  station_id text COLLATE "C" NOT NULL,
  sequence bigint NOT NULL,
  previous bigint NOT NULL CHECK (previous >= 0 AND previous < sequence),
  received_time timestamptz NOT NULL DEFAULT now(),
  id bigint NOT NULL,
  job text NOT NULL,
  attempt integer NOT NULL,
  slot text NOT NULL,
  port text,
  path text,
  chip text,
  mac text COLLATE "C",
  policy text,
  image_path text,
  image_name text,
  image_version text,
  image_sha256 text COLLATE "C",
  boot_id text,
  clock_synchronized boolean NOT NULL,
  start_time timestamptz NOT NULL,
  end_time timestamptz NOT NULL,
  duration_usec bigint NOT NULL,
  bytes bigint NOT NULL,
  transfers bigint NOT NULL,
  verdict text NOT NULL,
  final boolean NOT NULL,
  message text,
  engine_message text,
  detaching_usec bigint,
  away_usec bigint,
  downloading_usec bigint,
  verifying_usec bigint,
  dfu_status text,
  dfu_state text,
  station text,
  data_file text,
  unknown jsonb,
  PRIMARY KEY (station_id, sequence)
);
CREATE INDEX record_end ON espdfu.record (end_time);
CREATE INDEX record_start ON espdfu.record (start_time);
CREATE INDEX record_station_start ON espdfu.record (station_id, start_time);
CREATE INDEX record_mac ON espdfu.record (mac, end_time) WHERE mac IS NOT NULL;
CREATE INDEX record_sha256 ON espdfu.record (image_sha256) WHERE image_sha256 IS NOT NULL;
CREATE INDEX record_image ON espdfu.record (image_name, image_version) WHERE image_name IS NOT NULL;
-- A path may be longer than a B-tree takes.
CREATE INDEX record_path ON espdfu.record USING hash (image_path);
-- What did not flash is rare, and asked for.
CREATE INDEX record_trouble ON espdfu.record (end_time, verdict) WHERE verdict <> 'flashed';

-- What came and could not be taken as a record: as it came, once, however often. Where it said so, and the name in its topic
-- is the station's, station_id, sequence and previous are its place among the station's records: it counts as taken there,
-- since it is here.
CREATE TABLE espdfu.dead_letter (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  topic text NOT NULL,
  payload bytea NOT NULL,
  digest bytea NOT NULL UNIQUE,
  why text NOT NULL,
  first_time timestamptz NOT NULL DEFAULT now(),
  last_time timestamptz NOT NULL DEFAULT now(),
  times bigint NOT NULL DEFAULT 1,
  station_id text COLLATE "C",
  sequence bigint,
  previous bigint
);
CREATE INDEX dead_letter_place ON espdfu.dead_letter (station_id, sequence) WHERE station_id IS NOT NULL;

-- ---- how records come in -------------------------------------------------------

-- Puts a letter where it is kept; whether it is a new one. It may get its place when it comes again: its station has got the
-- name under which it comes.
CREATE FUNCTION espdfu.keep_letter(letter jsonb, reason text) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
  content bytea := coalesce(convert_to(letter->>'payload', 'UTF8'), decode(letter->>'bytes', 'hex'));
  seen bigint;
BEGIN
  INSERT INTO espdfu.dead_letter AS d (topic, payload, digest, why, station_id, sequence, previous)
  VALUES (letter->>'topic', content, sha256(convert_to(letter->>'topic', 'UTF8') || '\x00' || content), reason,
          letter->>'station_id', (letter->>'sequence')::bigint, (letter->>'previous')::bigint)
  ON CONFLICT (digest) DO UPDATE SET times = d.times + 1, last_time = now(),
    why = CASE WHEN d.station_id IS NULL AND excluded.station_id IS NOT NULL THEN excluded.why ELSE d.why END,
    station_id = coalesce(d.station_id, excluded.station_id), sequence = coalesce(d.sequence, excluded.sequence),
    previous = coalesce(d.previous, excluded.previous)
  RETURNING times INTO seen;
  RETURN seen = 1;
END $$;

-- Records that are there already stay as they are.
CREATE FUNCTION espdfu.add_records(records jsonb) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
  added bigint;
BEGIN
  INSERT INTO espdfu.record (
    station_id, sequence, previous, id, job, attempt, slot, port, path, chip, mac, policy, image_path, image_name,
    image_version, image_sha256, boot_id, clock_synchronized, start_time, end_time, duration_usec, bytes, transfers,
    verdict, final, message, engine_message, detaching_usec, away_usec, downloading_usec, verifying_usec, dfu_status,
    dfu_state, station, data_file, unknown)
  SELECT
    station_id, sequence, previous, id, job, attempt, slot, port, path, chip, mac, policy, image_path, image_name,
    image_version, image_sha256, boot_id, clock_synchronized, start_time, end_time, duration_usec, bytes, transfers,
    verdict, final, message, engine_message, detaching_usec, away_usec, downloading_usec, verifying_usec, dfu_status,
    dfu_state, station, data_file, unknown
  FROM jsonb_populate_recordset(NULL::espdfu.record, records)
  ON CONFLICT (station_id, sequence) DO NOTHING;
  GET DIAGNOSTICS added = ROW_COUNT;
  RETURN added;
END $$;

-- Of these records those whose number another one has, with other contents: how they differ. previous may be another one when
-- a record is sent again, and what this version does not know is not compared.
CREATE FUNCTION espdfu.conflicts(messages jsonb) RETURNS TABLE (item jsonb, reason text)
LANGUAGE sql STABLE AS $$
  SELECT m.value, 'another record of this station has this number, with another ' || d.names
    FROM jsonb_array_elements(messages) WITH ORDINALITY AS m (value, nr),
         jsonb_populate_record(NULL::espdfu.record, m.value->'record') AS new
    JOIN espdfu.record AS old ON old.station_id = new.station_id AND old.sequence = new.sequence,
         LATERAL (SELECT string_agg(n.key, ', ' ORDER BY n.key) AS names
                    FROM jsonb_each(to_jsonb(new)) AS n JOIN jsonb_each(to_jsonb(old)) AS o USING (key)
                   WHERE n.key NOT IN ('previous', 'received_time', 'unknown') AND n.value IS DISTINCT FROM o.value) AS d
   WHERE d.names IS NOT NULL
   ORDER BY m.nr
$$;

-- The number up to which all is there, going on from the station's own. Of what is beyond a gap 10 000 numbers are looked at.
CREATE FUNCTION espdfu.follow(of_station text, since bigint) RETURNS bigint
LANGUAGE plpgsql STABLE AS $$
DECLARE
  reached bigint := since;
  before bigint;
  next record;
BEGIN
  LOOP
    before := reached;
    FOR next IN
      SELECT r.sequence, r.previous FROM espdfu.record AS r WHERE r.station_id = of_station AND r.sequence > before
      UNION ALL
      SELECT d.sequence, d.previous FROM espdfu.dead_letter AS d WHERE d.station_id = of_station AND d.sequence > before
      ORDER BY 1 LIMIT 10000
    LOOP
      IF next.previous <= reached THEN
        reached := next.sequence;
      END IF;
    END LOOP;
    EXIT WHEN reached = before;
  END LOOP;
  RETURN reached;
END $$;

-- Of these items those that speak of a ledger that is another station's: without a place, each as
-- {"item", "reason"}.
CREATE FUNCTION espdfu.foreign_items(items jsonb) RETURNS jsonb
LANGUAGE sql STABLE AS $$
  SELECT coalesce(jsonb_agg(jsonb_build_object(
           'item', m.value - '{station_id,sequence,previous,record}'::text[],
           'reason', format('this ledger is station %1$s''s, and nothing of it is taken under the name %2$s: if the station '
                            'has got another name: SELECT espdfu.rename_station(%1$L, %2$L); if %2$s has a copy of its ledger: '
                            'espdfud --new-ledger-id on %2$s; else %2$s says that it is another one', s.name, m.value->>'name'))
           ORDER BY m.nr), '[]')
    FROM jsonb_array_elements(items) WITH ORDINALITY AS m (value, nr)
    JOIN espdfu.station AS s ON s.station_id = m.value->>'station_id' AND s.name <> m.value->>'name'
$$;

-- The others.
CREATE FUNCTION espdfu.own_items(items jsonb) RETURNS jsonb
LANGUAGE sql STABLE AS $$
  SELECT coalesce(jsonb_agg(m.value ORDER BY m.nr), '[]')
    FROM jsonb_array_elements(items) WITH ORDINALITY AS m (value, nr)
    LEFT JOIN espdfu.station AS s ON s.station_id = m.value->>'station_id'
   WHERE s.name IS NULL OR s.name = m.value->>'name'
$$;

-- Numbers of a ledger, behind since and up to until, that never came, and between some that did.
CREATE FUNCTION espdfu.holes(of_station text, since bigint, until bigint)
RETURNS TABLE (missing_from bigint, missing_to bigint)
LANGUAGE sql STABLE AS $$
  SELECT n.before + 1, n.sequence - 1
    FROM (SELECT a.sequence, lag(a.sequence, 1, since) OVER (ORDER BY a.sequence) AS before
            FROM (SELECT r.sequence FROM espdfu.record AS r
                   WHERE r.station_id = of_station AND r.sequence > since AND r.sequence <= until
                  UNION SELECT d.sequence FROM espdfu.dead_letter AS d
                   WHERE d.station_id = of_station AND d.sequence > since AND d.sequence <= until) AS a) AS n
   WHERE n.before > 0 AND n.before < n.sequence - 1
   ORDER BY 1
$$;

-- All that came, in one transaction; two collectors may do it at once: they lock the stations, in one order.
--   messages: [{"topic", "name", "payload", "station_id", "sequence", "previous", "record": {columns}}]
--   letters:  [{"topic", "payload" or in hexadecimal "bytes", "why", and where they are known "name", "station_id",
--               "sequence", "previous"}]
--   returns {"added": records, "stations": [{"station_id", "name", "sequence"}], "letters": [{"topic", "why"}], new ones,
--            "gaps": [{"name", "from", "to"}], numbers that are no more, of each station the first such}
CREATE FUNCTION espdfu.take(messages jsonb, letters jsonb) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
  added bigint := 0;
  item jsonb;
  reason text;
  refused jsonb := '[]'; -- what becomes a letter
  new_letters jsonb := '[]';
  stations jsonb := '[]';
  gaps jsonb := '[]';
  place record;
  hole record;
BEGIN
  -- A ledger is the name's under which it was first heard. That it is written anew is the lock.
  INSERT INTO espdfu.station AS s (station_id, name)
  SELECT DISTINCT ON (m.value->>'station_id') m.value->>'station_id', m.value->>'name'
    FROM jsonb_array_elements(messages || letters) WITH ORDINALITY AS m (value, nr)
   WHERE m.value->>'station_id' IS NOT NULL ORDER BY 1, m.nr
  ON CONFLICT (station_id) DO UPDATE SET name = s.name;

  refused := espdfu.foreign_items(messages || letters);
  IF refused <> '[]' THEN
    messages := espdfu.own_items(messages);
    letters := espdfu.own_items(letters);
  END IF;

  BEGIN
    added := espdfu.add_records(coalesce((SELECT jsonb_agg(m->'record') FROM jsonb_array_elements(messages) AS m), '[]'));
  EXCEPTION WHEN data_exception OR integrity_constraint_violation OR program_limit_exceeded THEN
    -- One of them cannot be taken: each by itself.
    FOR item IN SELECT value FROM jsonb_array_elements(messages) LOOP
      BEGIN
        added := added + espdfu.add_records(jsonb_build_array(item->'record'));
      EXCEPTION WHEN data_exception OR integrity_constraint_violation OR program_limit_exceeded THEN
        refused := refused || jsonb_build_object('item', item, 'reason', 'the database refuses it: ' || sqlerrm);
      END;
    END LOOP;
  END;
  IF added < jsonb_array_length(messages) THEN
    -- Some were there already. What was before one of them may have been removed from the ledger since.
    UPDATE espdfu.record AS r SET previous = m.before
      FROM (SELECT value->>'station_id' AS id, (value->>'sequence')::bigint AS number,
                   min((value->>'previous')::bigint) AS before
              FROM jsonb_array_elements(messages) GROUP BY 1, 2) AS m
     WHERE r.station_id = m.id AND r.sequence = m.number AND r.previous > m.before;
    refused := refused || coalesce((SELECT jsonb_agg(to_jsonb(c)) FROM espdfu.conflicts(messages) AS c), '[]');
  END IF;
  refused := refused || coalesce((SELECT jsonb_agg(jsonb_build_object('item', l, 'reason', l->>'why'))
                                    FROM jsonb_array_elements(letters) AS l), '[]');
  FOR item, reason IN SELECT r->'item', r->>'reason' FROM jsonb_array_elements(refused) AS r LOOP
    IF espdfu.keep_letter(item, reason) THEN
      new_letters := new_letters || jsonb_build_object('topic', item->>'topic', 'why', reason);
    END IF;
  END LOOP;

  FOR place IN
    UPDATE espdfu.station AS s SET sequence = espdfu.follow(s.station_id, s.sequence), last_seen = now()
      FROM (SELECT b.station_id, b.sequence FROM espdfu.station AS b
             WHERE b.station_id IN (SELECT m->>'station_id' FROM jsonb_array_elements(messages || letters) AS m)) AS old
     WHERE s.station_id = old.station_id
    RETURNING s.station_id, s.name, s.sequence, old.sequence AS before
  LOOP
    stations := stations || jsonb_build_object('station_id', place.station_id, 'name', place.name, 'sequence', place.sequence);
    IF place.sequence > place.before THEN
      SELECT * INTO hole FROM espdfu.holes(place.station_id, place.before, place.sequence) LIMIT 1;
      IF FOUND THEN
        gaps := gaps || jsonb_build_object('name', place.name, 'from', hole.missing_from, 'to', hole.missing_to);
      END IF;
    END IF;
  END LOOP;
  RETURN jsonb_build_object('added', added, 'stations', stations, 'letters', new_letters, 'gaps', gaps);
END $$;

-- A station has got another name: its ledgers are heard under that one from now on. How many they are. For the owner of the
-- schema: by this a name gets what is another one's.
CREATE FUNCTION espdfu.rename_station(old_name text, new_name text) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
  renamed bigint;
BEGIN
  IF new_name IS NULL OR octet_length(new_name) NOT BETWEEN 1 AND 64 THEN
    RAISE EXCEPTION '%: expected a name of 1 to 64 bytes', quote_nullable(new_name) USING ERRCODE = 'invalid_parameter_value';
  END IF;
  -- In the order in which take() locks them.
  PERFORM 1 FROM espdfu.station AS s WHERE s.name = old_name ORDER BY s.station_id FOR UPDATE;
  UPDATE espdfu.station AS s SET name = new_name WHERE s.name = old_name;
  GET DIAGNOSTICS renamed = ROW_COUNT;
  IF renamed = 0 THEN
    RAISE EXCEPTION 'no station is called %: expected a name that is in espdfu.station', quote_nullable(old_name)
      USING ERRCODE = 'no_data_found';
  END IF;
  RETURN renamed;
END $$;
REVOKE EXECUTE ON FUNCTION espdfu.rename_station(text, text) FROM PUBLIC;

-- ---- what is asked of them -----------------------------------------------------

-- A MAC as it stands on a label, in the form that records have.
CREATE FUNCTION espdfu.mac(label text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT rtrim(regexp_replace(lower(regexp_replace(label, '[^0-9A-Fa-f]', '', 'g')), '(..)', '\1:', 'g'), ':')
$$;

-- Whether a verdict is a failure, in the figures' sense: docs/ledger.md, "Figures".
CREATE FUNCTION espdfu.is_failure(verdict text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT verdict NOT IN ('flashed', 'detached', 'cancelled', 'interrupted', 'none')
$$;

-- Records that are no more, or not yet here: numbers that never came, between others that did. What was deleted here looks
-- the same.
CREATE FUNCTION espdfu.missing()
RETURNS TABLE (station text, station_id text, missing_from bigint, missing_to bigint, may_still_come boolean)
LANGUAGE sql STABLE AS $$
  SELECT s.name, s.station_id, h.missing_from, h.missing_to, h.missing_to > s.sequence
    FROM espdfu.station AS s, LATERAL espdfu.holes(s.station_id, 0, 9223372036854775807) AS h
   ORDER BY 1, 2, 3
$$;

-- 1. Yield by day and station. Days are those of the session's time zone.
CREATE FUNCTION espdfu.yield_by_day(since timestamptz DEFAULT now() - interval '7 days', until timestamptz DEFAULT 'infinity')
RETURNS TABLE (day date, station text, attempts bigint, flashed bigint, first_pass bigint, failed bigint, cancelled bigint,
               yield_percent numeric, first_pass_percent numeric)
LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT c.day, c.station, c.attempts, c.flashed, c.first_pass, c.failed, c.cancelled,
         round(100.0 * c.flashed / nullif(c.flashed + c.failed, 0), 2),
         round(100.0 * c.first_pass / nullif(c.flashed + c.failed, 0), 2)
    FROM (SELECT r.end_time::date AS day, s.name AS station, count(*) AS attempts,
                 count(*) FILTER (WHERE r.verdict = 'flashed') AS flashed,
                 count(*) FILTER (WHERE r.verdict = 'flashed' AND r.attempt = 1) AS first_pass,
                 count(*) FILTER (WHERE r.final AND espdfu.is_failure(r.verdict)) AS failed,
                 count(*) FILTER (WHERE r.final AND r.verdict = 'cancelled') AS cancelled
            FROM espdfu.record AS r JOIN espdfu.station AS s USING (station_id)
           WHERE r.end_time >= since AND r.end_time < until
           GROUP BY 1, 2) AS c
   ORDER BY 1, 2
$$;

-- 2. What is on the board with this MAC: what it was flashed with last. certain is false where an attempt came after that
-- which sent bytes and did not flash: nobody knows what is on it then. No row: it was never flashed.
CREATE FUNCTION espdfu.on_board(label text)
RETURNS TABLE (mac text, chip text, image_name text, image_version text, image_sha256 text, image_path text, data_file text,
               station text, slot text, flashed_time timestamptz, certain boolean)
LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT r.mac, r.chip, r.image_name, r.image_version, r.image_sha256, r.image_path, r.data_file, s.name, r.slot, r.end_time,
         NOT EXISTS (SELECT 1 FROM espdfu.record AS later WHERE later.mac = r.mac AND later.end_time > r.end_time
                        AND later.bytes > 0)
    FROM espdfu.record AS r JOIN espdfu.station AS s USING (station_id)
   WHERE r.mac = espdfu.mac(label) AND r.verdict = 'flashed'
   ORDER BY r.end_time DESC LIMIT 1
$$;

-- 3. Boards with an image: those that were flashed with it last. image: its name, its path, or at least the first 6 digits
-- of its SHA-256. Of boards that tell no MAC (an S2) there is a row for each time that one was flashed with it.
CREATE FUNCTION espdfu.boards_with(image text, version text DEFAULT NULL)
RETURNS TABLE (mac text, chip text, image_name text, image_version text, image_sha256 text, data_file text, station text,
               slot text, flashed_time timestamptz)
LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT r.mac, r.chip, r.image_name, r.image_version, r.image_sha256, r.data_file, s.name, r.slot, r.end_time
    FROM espdfu.record AS r JOIN espdfu.station AS s USING (station_id)
   WHERE r.verdict = 'flashed'
     AND (r.image_name = image OR r.image_path = image
          OR (r.image_sha256 >= CASE WHEN image ~ '^[0-9A-Fa-f]{6,64}$' THEN lower(image) END
              AND r.image_sha256 < lower(image) || 'g'))
     AND (version IS NULL OR r.image_version = version)
     AND NOT EXISTS (SELECT 1 FROM espdfu.record AS later WHERE later.mac = r.mac AND later.end_time > r.end_time
                        AND later.verdict = 'flashed')
   ORDER BY r.end_time
$$;

-- 4. Slow slots: how long a flash takes there, beside what the same image takes on all slots. slower: 1.25 is a quarter more.
CREATE FUNCTION espdfu.slow_slots(since timestamptz DEFAULT now() - interval '7 days', until timestamptz DEFAULT 'infinity',
                                  at_least bigint DEFAULT 10)
RETURNS TABLE (station text, slot text, image_name text, image_version text, flashed bigint, median_s numeric,
               fleet_median_s numeric, slower numeric, kb_per_s numeric)
LANGUAGE sql STABLE PARALLEL SAFE AS $$
  WITH flashed AS (
    SELECT s.name AS station, r.slot, r.image_name, r.image_version, r.image_sha256, r.duration_usec, r.bytes
      FROM espdfu.record AS r JOIN espdfu.station AS s USING (station_id)
     WHERE r.end_time >= since AND r.end_time < until AND r.verdict = 'flashed'
  ), fleet AS (
    SELECT image_sha256, percentile_cont(0.5) WITHIN GROUP (ORDER BY duration_usec) AS median FROM flashed GROUP BY 1
  ), slots AS (
    SELECT station, slot, image_name, image_version, image_sha256, count(*) AS n,
           percentile_cont(0.5) WITHIN GROUP (ORDER BY duration_usec) AS median,
           1e3 * sum(bytes) / nullif(sum(duration_usec), 0) AS rate
      FROM flashed GROUP BY 1, 2, 3, 4, 5
  )
  SELECT slots.station, slots.slot, slots.image_name, slots.image_version, slots.n, round(slots.median::numeric / 1e6, 2),
         round(fleet.median::numeric / 1e6, 2), round((slots.median / nullif(fleet.median, 0))::numeric, 3),
         round(slots.rate, 1)
    FROM slots JOIN fleet ON fleet.image_sha256 IS NOT DISTINCT FROM slots.image_sha256
   WHERE slots.n >= at_least
   ORDER BY 8 DESC NULLS LAST, 1, 2
$$;

-- 5. Error Pareto: attempts that failed or were interrupted, be they followed by another or not, the most frequent first.
CREATE FUNCTION espdfu.errors(since timestamptz DEFAULT now() - interval '7 days', until timestamptz DEFAULT 'infinity')
RETURNS TABLE (verdict text, dfu_status text, attempts bigint, percent numeric, up_to_here_percent numeric, stations bigint,
               slots bigint, last_time timestamptz, last_message text)
LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT e.verdict, e.dfu_status, e.n, round(100 * e.n / sum(e.n) OVER (), 2),
         round(100 * sum(e.n) OVER (ORDER BY e.n DESC, e.verdict, e.dfu_status) / sum(e.n) OVER (), 2), e.stations, e.slots,
         e.last_time, e.last_message
    FROM (SELECT r.verdict, r.dfu_status, count(*) AS n, count(DISTINCT r.station_id) AS stations,
                 count(DISTINCT (r.station_id, r.slot)) AS slots, max(r.end_time) AS last_time,
                 (array_agg(r.message ORDER BY r.end_time DESC))[1] AS last_message
            FROM espdfu.record AS r
           WHERE r.end_time >= since AND r.end_time < until AND r.verdict <> 'flashed'
             AND (espdfu.is_failure(r.verdict) OR r.verdict = 'interrupted')
           GROUP BY 1, 2) AS e
   ORDER BY e.n DESC, e.verdict, e.dfu_status
$$;

INSERT INTO espdfu.version (version) VALUES (1);
