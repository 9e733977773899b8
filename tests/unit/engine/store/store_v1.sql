-- A store as version 1 wrote it: three memories, and an export that is done, one that failed and one that waits.
BEGIN TRANSACTION;
CREATE TABLE exports (
	seq INTEGER NOT NULL, 
	id TEXT NOT NULL, 
	schema TEXT NOT NULL, 
	filters TEXT NOT NULL, 
	instructions TEXT, 
	org_id TEXT, 
	project_id TEXT, 
	created_us BIGINT NOT NULL, 
	expires_us BIGINT NOT NULL, 
	state TEXT NOT NULL, 
	attempt INTEGER NOT NULL, 
	available_us BIGINT, 
	result TEXT, 
	report TEXT, 
	reason TEXT, 
	PRIMARY KEY (seq), 
	UNIQUE (id)
);
INSERT INTO "exports" VALUES(1,'bb7d9e27-6208-4402-9424-c0f93b091e53','{"type": "object", "properties": {"city": {"type": "string"}}}','{"AND": [{"user_id": "alex"}]}',NULL,NULL,NULL,1795498570190882,32503680000000000,'DONE',1,NULL,'{"city": "Lisbon"}','{"memories": 2, "filled": {"city": ["d4f9008f-504d-48de-ba6d-c8819fe249d6"]}, "gaps": [], "notes": []}',NULL);
INSERT INTO "exports" VALUES(2,'2ec6f243-3a80-4eda-a7d0-9608122cfb77','{"type": "object", "properties": {"zip": {"type": "string"}}, "required": ["zip"]}','{"AND": [{"user_id": "alex"}]}',NULL,NULL,NULL,1795498570217263,32503680000000000,'FAILED',1,NULL,NULL,'{"memories": 2, "filled": {}, "gaps": [{"path": "zip", "reason": "no field and no metadata key of this name", "count": 1, "did_you_mean": null}], "notes": []}','no memory fills the required zip: give these fields a default (such as None), or add memories with metadata keys of these names');
INSERT INTO "exports" VALUES(3,'b852095f-6369-4b22-b577-745c10253df2','{"type": "object", "properties": {"memories": {"type": "array", "items": {"type": "object", "properties": {"memory": {"type": "string"}}}}}}','{"AND": [{"user_id": {"in": ["alex", "mara"]}}]}',NULL,'acme','p-1',1795498570237068,32503680000000000,'PENDING',0,1795498570237068,NULL,NULL,NULL);
CREATE TABLE memories (
	seq INTEGER NOT NULL, 
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
	text_key TEXT NOT NULL, 
	record_key TEXT NOT NULL, 
	PRIMARY KEY (seq), 
	UNIQUE (id), 
	UNIQUE (record_key)
);
INSERT INTO "memories" VALUES(1,'d4f9008f-504d-48de-ba6d-c8819fe249d6','Lives in Lisbon','alex',NULL,NULL,NULL,'{"city":"Lisbon","n":123456789012345678901234567890}',NULL,'2024-05-06T00:00:00Z',1714953600000000,'2024-05-06T00:00:00Z',1714953600000000,NULL,NULL,'f838442d125730b16520268ff895c7da8bfada29eeb53682576118a1fd1e8448','92fb24528274e75c8953644d5f6d7cc8a163061eae70b4fb492cf547fdf93e95');
INSERT INTO "memories" VALUES(2,'b5ecf92a-b061-4269-bab3-59ea35eebd3c','Prefers tea 🍵 to coffee','alex','planner',NULL,'r-1',NULL,NULL,'2024-05-07T00:00:00Z',1715040000000000,'2024-05-07T00:00:00Z',1715040000000000,'2999-01-01',32472144000000000,'55e5474328c27fcdd53dbb5119ac8c3abadba44c459e491aed13ffdd505b294d','65ab1f49f98457efcbb5e6f01b75af1739d5baf6ce4f2a5bbfc5984187adfc2b');
INSERT INTO "memories" VALUES(3,'0d6e7c4b-9a59-4c83-b9a2-0c60b6a2f0d4','Sails','mara',NULL,NULL,NULL,NULL,'["sport"]','2024-07-26T10:29:36.630547-07:00',1722014976630547,'2024-07-26T10:29:36.630547-07:00',1722014976630547,NULL,NULL,'adfb02911183cb481f15d2045b9008141da28dcece68d6ffae5917b687bdf5c1','48a8ce67fe78af0ccde28de74728f0a909bea5590b7b930dadb45d03c209c672');
CREATE INDEX memories_user ON memories (user_id, created_us, seq);
CREATE INDEX memories_run ON memories (run_id, created_us, seq);
CREATE INDEX memories_agent ON memories (agent_id, created_us, seq);
CREATE INDEX memories_text ON memories (text_key);
CREATE INDEX memories_app ON memories (app_id, created_us, seq);
CREATE INDEX exports_waiting ON exports (available_us) WHERE available_us IS NOT NULL;
CREATE INDEX exports_filters ON exports (filters, seq);
CREATE INDEX exports_expiry ON exports (expires_us);
COMMIT;
PRAGMA user_version = 1;
