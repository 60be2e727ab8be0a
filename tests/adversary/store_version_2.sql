PRAGMA application_id = 1802923888;
PRAGMA user_version = 2;
BEGIN TRANSACTION;
CREATE TABLE claim (            -- a unit that a process is at
        hunt INTEGER NOT NULL REFERENCES hunt,
        number INTEGER NOT NULL,
        owner TEXT NOT NULL,
        host TEXT NOT NULL,
        process INTEGER NOT NULL,
        started TEXT NOT NULL,      -- of the process, to tell it from a later one
        renewed REAL NOT NULL,      -- seconds since 1970
        PRIMARY KEY (hunt, number)
    ) WITHOUT ROWID;
CREATE TABLE find (             -- an instance worse than those before it in its unit
        hunt INTEGER NOT NULL REFERENCES hunt,
        unit INTEGER NOT NULL,
        position INTEGER NOT NULL,
        evaluation INTEGER NOT NULL,
        ratio TEXT NOT NULL,        -- "p/q", cost / reference
        ratio_real REAL NOT NULL,
        cost,                       -- of the policy (rounds)
        reference,                  -- of a feasible schedule, or the other policy (rounds)
        instance TEXT NOT NULL,     -- JSON, as in an instance file
        PRIMARY KEY (hunt, unit, position)
    ) WITHOUT ROWID;
INSERT INTO "find" VALUES(1,0,0,4,'3/2',1.5,9,6,'{"format": "kvopt-instance/1", "memory": 8, "requests": [{"prompt": 1, "output": 2, "count": 3}, {"prompt": 0, "output": 7, "count": 1}]}');
INSERT INTO "find" VALUES(1,0,1,5,'5/2',2.5,10,4,'{"format": "kvopt-instance/1", "memory": 8, "requests": [{"prompt": 1, "output": 2, "count": 3}, {"prompt": 0, "output": 7, "count": 1}]}');
INSERT INTO "find" VALUES(1,2,0,0,'3/1',3.0,'3000000000000000000000000000000','1000000000000000000000000000000','{"format": "kvopt-instance/1", "memory": 1000000000, "requests": [{"prompt": 1, "output": 100000000, "count": 1000000000000000}]}');
CREATE TABLE hunt (             -- what was searched for
        id INTEGER PRIMARY KEY,
        policy TEXT NOT NULL,
        against TEXT,               -- the other policy, NULL for the optimum
        method TEXT NOT NULL,
        seed,
        requests,                   -- limits
        memory,
        mixed INTEGER NOT NULL,
        parameters TEXT NOT NULL,   -- all of it, in JSON
        version TEXT NOT NULL,      -- of kvopt, see kvopt/parallel/code_version.py
        sources TEXT NOT NULL,      -- JSON: digests of the user's own policies
        UNIQUE (parameters, version, sources)
    );
INSERT INTO "hunt" VALUES(1,'gsa:alpha=2',NULL,'local',3,6,12,0,'{"against": null, "exact": false, "limits": {"groups": null, "memory": 12, "mixed": false, "requests": 6}, "method": "local", "policy": "gsa:alpha=2", "seed": 3}','1.0','[]');
INSERT INTO "hunt" VALUES(2,'fcfs','mc-sf','exhaustive','1180591620717411303424',3,5,1,'{"against": "mc-sf", "exact": false, "limits": {"groups": null, "memory": 5, "mixed": true, "requests": 3}, "method": "exhaustive", "policy": "fcfs", "seed": 1180591620717411303424}','1.0','[]');
CREATE TABLE unit (             -- a complete unit of work
        hunt INTEGER NOT NULL REFERENCES hunt,
        number INTEGER NOT NULL,
        evaluations INTEGER NOT NULL,
        finds INTEGER NOT NULL,     -- how many rows it has in find
        finished TEXT NOT NULL,     -- UTC
        PRIMARY KEY (hunt, number)
    ) WITHOUT ROWID;
INSERT INTO "unit" VALUES(1,0,5,2,'2026-11-25 22:05:43');
INSERT INTO "unit" VALUES(1,2,1,1,'2026-11-25 22:05:43');
INSERT INTO "unit" VALUES(2,7,3,0,'2026-11-25 22:05:43');
CREATE TABLE verified (         -- a bracket of the optimum of an instance
        hunt INTEGER NOT NULL REFERENCES hunt,
        position INTEGER NOT NULL,
        status TEXT NOT NULL,       -- optimal or bracket
        ratio_low TEXT NOT NULL,    -- "p/q", cost / upper_bound
        ratio_low_real REAL NOT NULL,
        ratio_high TEXT NOT NULL,   -- "p/q", cost / lower_bound
        ratio_high_real REAL NOT NULL,
        cost,                       -- of the policy (rounds)
        lower_bound,                -- on the optimum (rounds)
        upper_bound,
        instance TEXT NOT NULL,     -- JSON, as in an instance file
        starts TEXT,                -- JSON: a schedule of cost upper_bound
        seconds REAL NOT NULL,
        finished TEXT NOT NULL,     -- UTC
        PRIMARY KEY (hunt, position)
    ) WITHOUT ROWID;
INSERT INTO "verified" VALUES(1,0,'bracket','4/1',4.0,'5/1',5.0,100,20,25,'{"format": "kvopt-instance/1", "memory": 8, "requests": [{"prompt": 1, "output": 2, "count": 3}, {"prompt": 0, "output": 7, "count": 1}]}',NULL,1.5,'2026-11-25 22:05:43');
INSERT INTO "verified" VALUES(1,1,'optimal','25/6',4.16666666666666696272e+00,'25/6',4.16666666666666696272e+00,100,24,24,'{"format": "kvopt-instance/1", "memory": 8, "requests": [{"prompt": 1, "output": 2, "count": 3}, {"prompt": 0, "output": 7, "count": 1}]}','[0, 1, 2, 3]',0.0,'2026-11-25 22:05:43');
CREATE VIEW found AS
        SELECT policy, against, method, seed, unit, evaluation, ratio, ratio_real, cost,
            reference, instance, requests, memory, mixed, version
        FROM find JOIN hunt ON hunt.id = find.hunt;
CREATE VIEW worst AS
        SELECT policy, against, method, seed, unit, evaluation, ratio,
            max(ratio_real) AS ratio_real, cost, reference, instance, requests, memory, mixed,
            version
        FROM find JOIN hunt ON hunt.id = find.hunt GROUP BY hunt.id;
CREATE VIEW proved AS
        SELECT policy, against, method, seed, status, ratio_low, ratio_low_real, ratio_high,
            ratio_high_real, cost, lower_bound, upper_bound, instance, starts, seconds, version
        FROM verified JOIN hunt ON hunt.id = verified.hunt;
COMMIT;
