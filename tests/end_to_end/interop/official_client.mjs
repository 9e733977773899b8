/**
 * Check the official mem0ai client for JavaScript against a server: every call that exports need, and its answer.
 *
 *     node official_client.mjs http://127.0.0.1:8765 KEY
 *
 * It needs a folder where mem0ai is installed; run.sh makes one. The server must have no memories of the user below.
 * This client renames the keys of every answer to camelCase, except those of metadata, so the documented keys are
 * checked under their new names. It prints a table, and exits with 1 if a call is not ok.
 */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

import MemoryClient, { AuthenticationError, MemoryNotFoundError, ValidationError } from "mem0ai";

/** Milliseconds within which an export must be ready. */
const READY_WITHIN = 10_000;

/** Milliseconds after which this script is aborted; the client itself would wait forever. */
const ABORT_AFTER = 120_000;

const USER = "alex-js";
const FILTERS = { AND: [{ user_id: USER }] };

/** The texts to store, with their metadata. */
const TEXTS = {
  "Lives in Lisbon": { city: "Lisbon" },
  "Works for Nortelume since 2019": { employer: "Nortelume", working_since: 2019 },
  "Sails, and plays chess": { hobbies: ["sailing", "chess"] },
};

/** The schema of the export. */
const SCHEMA = {
  $defs: {
    Fact: {
      type: "object",
      properties: { memory: { type: "string" }, created_at: { type: "string", format: "date-time" } },
      required: ["memory"],
    },
  },
  type: "object",
  properties: {
    city: { anyOf: [{ type: "string" }, { type: "null" }], default: null },
    working_since: { anyOf: [{ type: "integer" }, { type: "null" }], default: null },
    hobbies: { type: "array", items: { type: "string" }, default: [] },
    known_facts: { type: "array", items: { $ref: "#/$defs/Fact" }, default: [] },
    nick_name: { anyOf: [{ type: "string" }, { type: "null" }], default: null },
  },
};

const MEMORY_KEYS = [
  "id", "memory", "userId", "agentId", "appId", "sessionId", "metadata", "categories", "expirationDate", "createdAt",
  "updatedAt",
];
const TOTALS = ["totalUsers", "totalAgents", "totalApps", "totalRuns"];

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

const [url, key] = process.argv.slice(2);
if (!key) {
  console.error("usage: node official_client.mjs URL KEY");
  process.exit(2);
}

/** All addresses that this process tried to connect to. Only connections to the server are allowed. */
const contacted = new Set();
const connect = Socket.prototype.connect;
Socket.prototype.connect = function (...args) {
  const { host, port } = Array.isArray(args[0]) ? args[0][0] : args[0];
  contacted.add(`${host}:${port}`);
  if (`${host}:${port}` !== new URL(url).host) throw new Error(`the client tried to contact ${host}:${port}`);
  return connect.apply(this, args);
};

function checkKeys(answer, ...keys) {
  const missing = keys.filter((name) => !(name in answer));
  assert.deepEqual(missing, [], `lacks ${missing}: ${JSON.stringify(answer)}`);
}

function checkRecent(text) {
  assert.match(text, /(Z|[+-]\d\d:\d\d)$/);
  assert.ok(Math.abs(Date.now() - Date.parse(text)) < 300_000, `${text} is not within five minutes of now`);
}

/** Expects the call to fail, and returns the error's name and the answer's body, which is the error's message. */
async function expectError(kind, call) {
  const error = await call.then((answer) => assert.fail(`expected an error, got ${JSON.stringify(answer)}`), (error) => error);
  if (!(error instanceof kind)) throw error;
  return { body: JSON.parse(error.message), name: `${error.errorCode} ${error.name}` };
}

/** Waits for an export, and returns it. */
async function ready(client, which) {
  for (const deadline = Date.now() + READY_WITHIN; ; await sleep(50)) {
    try {
      return await client.getMemoryExport(which);
    } catch (error) {
      // "Not found" may also mean that it is not ready yet.
      if (!(error instanceof MemoryNotFoundError) || Date.now() > deadline) throw error;
    }
  }
}

const client = new MemoryClient({ apiKey: key, host: url });
const memoryIds = [];
let exportId;

/** The calls, in order. Each returns a summary of the answer, or throws. */
const CALLS = {
  "constructor (ping)": async () => {
    await client.initialized; // it pings in the background, and throws no error
    assert.ok(client.organizationId && client.projectId, "the organization or the project is missing");
    return `${client.organizationId}, ${client.projectId}`;
  },

  "ping()": async () => {
    assert.equal(await client.ping(), undefined);
    return "undefined";
  },

  "ping(), wrong key": async () => {
    const { error, warn } = console;
    console.error = console.warn = () => {}; // the constructor logs its failure
    try {
      const other = new MemoryClient({ apiKey: `${key}-wrong`, host: url });
      const { body, name } = await expectError(AuthenticationError, other.ping());
      checkKeys(body, "detail");
      await other.initialized;
      return name;
    } finally {
      Object.assign(console, { error, warn });
    }
  },

  "add(infer: false), three times": async () => {
    for (const [content, metadata] of Object.entries(TEXTS)) {
      const answer = await client.add([{ role: "user", content }], { userId: USER, infer: false, metadata });
      checkKeys(answer, "message", "status", "eventId", "results");
      assert.equal(answer.message, "Memories stored successfully");
      assert.equal(answer.status, "SUCCEEDED");
      assert.match(answer.eventId, UUID);
      assert.equal(answer.results.length, 1);
      const { id, event, data } = answer.results[0];
      assert.match(id, UUID);
      assert.deepEqual({ event, data }, { event: "ADD", data: { memory: content } });
      memoryIds.push(id);
    }
    return `${new Set(memoryIds).size} ids`;
  },

  "getAll(filters)": async () => {
    const { results, ...page } = await client.getAll({ filters: FILTERS });
    assert.deepEqual(page, { count: 3, next: null, previous: null });
    assert.deepEqual(results.map(({ id }) => id), memoryIds);
    assert.deepEqual(Object.fromEntries(results.map(({ memory, metadata }) => [memory, metadata])), TEXTS);
    for (const each of results) {
      checkKeys(each, ...MEMORY_KEYS);
      const { userId, agentId, appId, sessionId, expirationDate } = each;
      assert.deepEqual([userId, agentId, appId, sessionId, expirationDate], [USER, null, null, null, null]);
      checkRecent(each.createdAt);
      checkRecent(each.updatedAt);
    }
    return `${results.length} memories`;
  },

  "getAll(filters by metadata and time)": async () => {
    const since = new Date(Date.now() - 300_000).toISOString();
    const filters = { AND: [{ user_id: USER }, { metadata: { city: "Lisbon" } }, { created_at: { gte: since } }] };
    const { results } = await client.getAll({ filters });
    assert.deepEqual(results.map(({ memory }) => memory), ["Lives in Lisbon"]);
    return `${results.length} memory`;
  },

  "getAll(filters, page, pageSize)": async () => {
    const listed = [];
    for (const [page, held] of [[1, 2], [2, 1]]) {
      const answer = await client.getAll({ filters: FILTERS, page, pageSize: 2 });
      assert.deepEqual([answer.count, answer.results.length], [3, held]);
      assert.equal(typeof answer.next, page === 1 ? "string" : "object");
      assert.equal(typeof answer.previous, page === 2 ? "string" : "object");
      listed.push(...answer.results.map(({ id }) => id));
    }
    assert.deepEqual(listed, memoryIds);
    return "2 + 1 memories";
  },

  "getAll(page past the end)": async () => {
    const { body, name } = await expectError(MemoryNotFoundError, client.getAll({ filters: FILTERS, page: 9 }));
    checkKeys(body, "detail");
    return name;
  },

  "getAll(filters by userId)": async () => {
    // Some pages of the documentation show this, but the client sends filters unchanged, and the field is user_id.
    const { body, name } = await expectError(ValidationError, client.getAll({ filters: { userId: USER } }));
    checkKeys(body, "error");
    return name;
  },

  "createMemoryExport(schema, filters)": async () => {
    const answer = await client.createMemoryExport({ schema: SCHEMA, filters: FILTERS });
    const { id, ...rest } = answer;
    assert.deepEqual(rest, {
      message: "Memory export request received. The export will be ready in a few seconds.",
    });
    assert.match(id, UUID);
    exportId = id;
    return "an id";
  },

  "getMemoryExport(memoryExportId)": async () => {
    const { knownFacts, ...rest } = await ready(client, { memoryExportId: exportId });
    // There is no nickName, because no memory has one.
    assert.deepEqual(rest, { city: "Lisbon", workingSince: 2019, hobbies: ["sailing", "chess"] });
    assert.deepEqual(knownFacts.map(({ memory }) => memory), Object.keys(TEXTS));
    knownFacts.forEach(({ createdAt }) => checkRecent(createdAt));
    return "the export";
  },

  "getMemoryExport(filters)": async () => {
    const schema = { type: "object", properties: { city: { type: "string" } } };
    const instructions = "The newer memory wins.";
    await client.createMemoryExport({ schema, filters: FILTERS, exportInstructions: instructions });
    assert.deepEqual(await ready(client, { filters: FILTERS }), { city: "Lisbon" });
    return "the newest export";
  },

  "getMemoryExport(unknown id)": async () => {
    const { body, name } = await expectError(MemoryNotFoundError, client.getMemoryExport({ memoryExportId: randomUUID() }));
    assert.deepEqual(body, { error: "No memory export request found" });
    return name;
  },

  "users()": async () => {
    const answer = await client.users();
    checkKeys(answer, "count", "next", "previous", "results", ...TOTALS);
    assert.equal(answer.count, answer.results.length);
    assert.equal(answer.count, TOTALS.reduce((sum, total) => sum + answer[total], 0));
    for (const each of answer.results) checkKeys(each, "id", "name", "type", "createdAt", "updatedAt", "owner", "metadata");
    const found = answer.results.filter(({ name }) => name === USER);
    assert.deepEqual(found.map(({ type }) => type), ["user"]);
    checkRecent(found[0].createdAt);
    return `${answer.count} with ${USER} among them`;
  },

  "users(page, pageSize)": async () => {
    const answer = await client.users({ page: 1, pageSize: 1 });
    assert.equal(answer.results.length, 1);
    assert.equal(typeof answer.next, answer.count > 1 ? "string" : "object");
    return `1 of ${answer.count}`;
  },

  "addresses contacted by all calls": async () => {
    assert.deepEqual([...contacted], [new URL(url).host]);
    return "only the server";
  },
};

setTimeout(() => {
  console.error(`no answer within ${ABORT_AFTER / 1000} s`);
  process.exit(1);
}, ABORT_AFTER).unref();

const rows = [["call", "answer", "ok"]];
for (const [name, call] of Object.entries(CALLS)) {
  try {
    rows.push([name, await call(), "ok"]);
  } catch (error) {
    // Every error goes into the table, and does not stop the other calls.
    rows.push([name, `${error.name}: ${error.message}`.replace(/\s+/g, " ").slice(0, 300), "WRONG"]);
  }
}
const widths = [0, 1].map((column) => Math.max(...rows.map((row) => row[column].length)));
for (const [name, answer, ok] of rows) console.log(`${name.padEnd(widths[0])} | ${answer.padEnd(widths[1])} | ${ok}`);
process.exitCode = rows.slice(1).every(([, , ok]) => ok === "ok") ? 0 : 1;
