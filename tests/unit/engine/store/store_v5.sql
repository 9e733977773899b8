-- A store as version 5 wrote it: that of store_v4.sql, upgraded by the last release that had version 5.
BEGIN TRANSACTION;
CREATE TABLE answers (
    project TEXT NOT NULL,
    key BLOB NOT NULL,
    content BLOB NOT NULL,
    used_us BIGINT NOT NULL,
    PRIMARY KEY (project, key)
);
CREATE TABLE export_parts (
    export INTEGER NOT NULL,
    place INTEGER NOT NULL,
    number INTEGER NOT NULL,
    content BLOB NOT NULL
);
CREATE TABLE exports (
    seq INTEGER NOT NULL,
    project TEXT NOT NULL,
    id TEXT NOT NULL,
    schema TEXT NOT NULL,
    filters TEXT NOT NULL,
    instructions TEXT,
    created_us BIGINT NOT NULL,
    expires_us BIGINT NOT NULL,
    state TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    lost INTEGER NOT NULL,
    available_us BIGINT,
    frame TEXT,
    report TEXT,
    reason TEXT, lane TEXT DEFAULT 'short' NOT NULL,
    PRIMARY KEY (seq),
    UNIQUE (id)
);
INSERT INTO "exports" VALUES(1,'local','bb7d9e27-6208-4402-9424-c0f93b091e53','{"type": "object", "properties": {"city": {"type": "string"}}}','{"AND": [{"user_id": "alex"}]}',NULL,1795498570190882,32503680000000000,'DONE',1,0,NULL,'["{\"city\": \"Lisbon\"}"]','{"memories": 2, "filled": {"city": ["d4f9008f-504d-48de-ba6d-c8819fe249d6"]}, "gaps": [], "notes": []}',NULL,'short');
INSERT INTO "exports" VALUES(2,'local','2ec6f243-3a80-4eda-a7d0-9608122cfb77','{"type": "object", "properties": {"zip": {"type": "string"}}, "required": ["zip"]}','{"AND": [{"user_id": "alex"}]}',NULL,1795498570217263,32503680000000000,'FAILED',1,0,NULL,NULL,'{"memories": 2, "filled": {}, "gaps": [{"path": "zip", "reason": "no field and no metadata key of this name", "count": 1, "did_you_mean": null}], "notes": []}','no memory fills the required zip: give these fields a default (such as None), or add memories with metadata keys of these names','short');
INSERT INTO "exports" VALUES(3,'local','b852095f-6369-4b22-b577-745c10253df2','{"type": "object", "properties": {"memories": {"type": "array", "items": {"type": "object", "properties": {"memory": {"type": "string"}}}}}}','{"AND": [{"user_id": {"in": ["alex", "mara"]}}]}',NULL,1795498570237068,32503680000000000,'PENDING',0,0,1795498570237068,NULL,NULL,NULL,'short');
CREATE TABLE keys (
    id TEXT NOT NULL,
    project TEXT NOT NULL,
    name TEXT NOT NULL,
    digest BLOB NOT NULL,
    created_us BIGINT NOT NULL,
    revoked_us BIGINT,
    PRIMARY KEY (id)
);
CREATE TABLE memories (
    seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    project TEXT NOT NULL,
    id TEXT NOT NULL,
    memory TEXT NOT NULL,
    user_id TEXT,
    agent_id TEXT,
    app_id TEXT,
    run_id TEXT,
    metadata TEXT,
    categories TEXT,
    created_at TEXT NOT NULL,
    created_us BIGINT NOT NULL,
    updated_at TEXT NOT NULL,
    updated_us BIGINT NOT NULL,
    expiration_date TEXT,
    expires_us BIGINT,
    text_key BLOB NOT NULL,
    record_key BLOB NOT NULL
);
INSERT INTO "memories" VALUES(1,'local','d4f9008f-504d-48de-ba6d-c8819fe249d6','Lives in Lisbon','alex',NULL,NULL,NULL,'{"city":"Lisbon","n":123456789012345678901234567890}',NULL,'2024-05-06T00:00:00Z',1714953600000000,'2024-05-06T00:00:00Z',1714953600000000,NULL,NULL,X'F838442D125730B16520268FF895C7DA',X'92FB24528274E75C8953644D5F6D7CC8');
INSERT INTO "memories" VALUES(2,'local','b5ecf92a-b061-4269-bab3-59ea35eebd3c','Prefers tea 🍵 to coffee','alex','planner',NULL,'r-1',NULL,NULL,'2024-05-07T00:00:00Z',1715040000000000,'2024-05-07T00:00:00Z',1715040000000000,'2999-01-01',32472144000000000,X'55E5474328C27FCDD53DBB5119AC8C3A',X'65AB1F49F98457EFCBB5E6F01B75AF17');
INSERT INTO "memories" VALUES(3,'local','0d6e7c4b-9a59-4c83-b9a2-0c60b6a2f0d4','Sails','mara',NULL,NULL,NULL,NULL,'["sport"]','2024-07-26T10:29:36.630547-07:00',1722014976630547,'2024-07-26T10:29:36.630547-07:00',1722014976630547,NULL,NULL,X'ADFB02911183CB481F15D2045B900814',X'48A8CE67FE78AF0CCDE28DE74728F0A9');
CREATE TABLE revisions (
    project TEXT NOT NULL,
    memories INTEGER NOT NULL,
    PRIMARY KEY (project)
);
CREATE INDEX exports_waiting ON exports (available_us) WHERE available_us IS NOT NULL;
CREATE INDEX exports_filters ON exports (project, filters, seq);
CREATE INDEX exports_expiry ON exports (expires_us);
CREATE UNIQUE INDEX export_parts_place ON export_parts (export, place, number);
CREATE UNIQUE INDEX memories_id ON memories (project, id);
CREATE UNIQUE INDEX memories_record ON memories (record_key, project);
CREATE INDEX memories_text ON memories (text_key, project);
CREATE INDEX answers_use ON answers (used_us);
CREATE INDEX memories_user ON memories (project, user_id, created_us, seq, expires_us, updated_us)
WHERE user_id IS NOT NULL;
CREATE INDEX memories_agent ON memories (project, agent_id, created_us, seq, expires_us, updated_us)
WHERE agent_id IS NOT NULL;
CREATE INDEX memories_app ON memories (project, app_id, created_us, seq, expires_us, updated_us)
WHERE app_id IS NOT NULL;
CREATE INDEX memories_run ON memories (project, run_id, created_us, seq, expires_us, updated_us)
WHERE run_id IS NOT NULL;
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('memories',3);
COMMIT;
PRAGMA user_version = 5;
