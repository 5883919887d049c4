// Managed records and streams and the rows of a keyring, written from envelope/FORMAT.md alone ("section N" below).

import { timingSafeEqual } from 'node:crypto';
import { commitment, derive, hmac, openRecord, openStream, openStreamAt, refuse, uint } from './bare.mjs';
import { parseAllWrapped, unwrapLocal } from './messages.mjs';

// Section 1: parts are Buffers.
export const bind = (...parts) => Buffer.concat(parts.flatMap((part) => [uint(4, part.length), part]));

// Section 2: managed records. findKey returns the data key that has an id.
export function openManagedRecord(bytes, binding, findKey) {
  if (bytes.length > 0 && bytes[0] !== 0xf5) refuse('format', 'not a managed record');
  if (bytes.length < 57) refuse('truncated', 'a managed record has at least 57 bytes');
  if (bytes.length > 57 + (64 << 20)) refuse('format', 'a managed record holds at most 64 MiB');
  const header = bytes.subarray(0, 17);
  const key = derive(findKey(header.subarray(1)), 'record');
  return openRecord(key, Buffer.concat([header, binding]), bytes.subarray(17));
}

// Section 4: managed streams.
function startManaged(header, binding, findKey) {
  if (header.length > 0 && header[0] !== 0xf7) refuse('format', 'not a managed stream');
  if (header.length < 17) refuse('truncated', 'the input ends within the header of a managed stream');
  return [derive(findKey(header.subarray(1)), 'stream'), Buffer.concat([header, binding])];
}

/** Yields the plaintext of one segment at a time, each when it is authenticated. */
export async function* openManagedStream(source, binding, findKey, options) {
  yield* openStream(source, ...startManaged(await source.read(17), binding, findKey), options);
}

/** Returns length bytes of the plaintext from offset on, or as many as there are. */
export const openManagedStreamAt = (bytes, binding, findKey, offset, length) =>
  openStreamAt(bytes.subarray(17), ...startManaged(bytes.subarray(0, 17), binding, findKey), offset, length);

/** Yields the plaintext of what starts with F5 or F7. */
export async function* openManaged(source, binding, findKey, options) {
  const header = await source.read(17);
  if (header[0] === 0xf7) yield* openStream(source, ...startManaged(header, binding, findKey), options);
  else yield openManagedRecord(Buffer.concat([header, await source.read(41 + (64 << 20))]), binding, findKey);
}

/** A findKey of one data key. */
export const onlyKey = (dataKey) => (id) =>
  commitment(dataKey).subarray(0, 16).equals(id) ? dataKey : refuse('unknown_key', 'sealed under another data key');

// Section 6: stored keys.
const types = {
  text: (v) => typeof v === 'string',
  time: (v) => typeof v === 'string' && !Number.isNaN(Date.parse(v)),
  object: (v) => typeof v === 'object',
  count: (v) => Number.isSafeInteger(v),
  flag: (v) => typeof v === 'boolean',
  list: (v) => Array.isArray(v) && v.every((text) => typeof text === 'string'),
  id: (v) => /^[0-9a-f]{32}$/.test(v),
  hash: (v) => /^[0-9a-f]{64}$/.test(v),
  bytes: (v) => typeof v === 'string' && Buffer.from(v, 'base64').toString('base64') === v,
};
const head = { state: 'text', since: 'time', ref: 'text', holds: 'list', held: 'count', erasure: 'object' };
const key = {
  kind: 'text', version: 'count', id: 'id', commitment: 'hash', created: 'time', wrapped: 'bytes', refs: 'list', closed: 'flag',
  destroyed: 'time', ref: 'text',
};
const entry = { row: 'text' };

function parseRow(name, value, fields) {
  let row;
  try {
    row = JSON.parse(value);
  } catch {
    refuse('format', `row ${name} is no JSON`);
  }
  if (row === null || typeof row !== 'object' || row.format !== 1) refuse('format', `row ${name} is no object of format 1`);
  for (const [field, content] of Object.entries(row)) {
    const known = field === 'format' || (Object.hasOwn(fields, field) && types[fields[field]](content));
    if (!known) refuse('format', `row ${name}: field ${field}`);
  }
  return row;
}

// A row of a key, whose name must be the one that its content has.
function parseKey(prefix, name, value) {
  const row = parseRow(name, value, key);
  const expected = `${prefix}${row.kind}/${String(row.version).padStart(10, '0')}`;
  if (!(row.version > 0) || name !== expected) refuse('open', `row ${name} says that it is another`);
  if (!row.destroyed && row.id !== row.commitment?.slice(0, 32)) refuse('open', `row ${name}: the id is not its commitment's`);
  return { ...row, name };
}

const escaped = /[^A-Za-z0-9._~$&+:=@-]/g;

function escape(text) {
  const percent = (c) => `%${c.charCodeAt(0).toString(16).padStart(2, '0').toUpperCase()}`;
  return Buffer.from(text).toString('latin1').replace(escaped, percent);
}

/** What stands for the identifier of a subject. */
export const subjectRef = (lookupKey, subject) => hmac('sha256', derive(lookupKey, 'subject ref'), subject);

class Store {
  constructor({ rows, deployment, tenant, localKey, keyId }) {
    Object.assign(this, { rows, deployment, tenant, localKey, keyId, root: `tenant/${escape(tenant)}/` });
  }

  checkState(prefix) {
    if (!Object.hasOwn(this.rows, prefix)) return;
    const { state } = parseRow(prefix, this.rows[prefix], head);
    if (state === 'disabled') refuse('disabled', prefix);
    if (state === 'erasing' || state === 'erased') refuse('erased', prefix);
    if (state !== 'active') refuse('format', `row ${prefix}: an unknown state`);
  }

  // The rows of keys below a prefix in ascending order; of a bad one the fault.
  keys(prefix) {
    const names = Object.keys(this.rows).filter((name) => name.startsWith(prefix) && name !== prefix);
    return names.sort().map((name) => {
      try {
        return parseKey(prefix, name, this.rows[name]);
      } catch (fault) {
        return { name, fault };
      }
    });
  }

  checked(row, raw) {
    const same = raw.length === 32 && timingSafeEqual(commitment(raw), Buffer.from(row.commitment, 'hex'));
    return same ? raw : refuse('open', `row ${row.name} holds another key than its commitment names`);
  }

  loadTenantKey(row) {
    const recipients = parseAllWrapped(Buffer.from(row.wrapped ?? '', 'base64'));
    const context = {
      commitment: row.commitment, deployment: this.deployment, kind: row.kind, purpose: 'tenant-key', tenant: this.tenant,
      version: `${row.version}`,
    };
    const full = Object.fromEntries(Object.entries(context).map(([name, value]) => [`holdfast:${name}`, value]));
    return this.checked(row, unwrapLocal(this, full, recipients));
  }

  loadSubjectKey(row, ref) {
    const blob = Buffer.from(row.wrapped ?? '', 'base64');
    if (blob.length !== 89 || blob[0] !== 0xf5) refuse('format', `row ${row.name} holds no wrapped key`);
    const header = blob.subarray(0, 17);
    const wrap = this.keys(this.root).find(({ kind, id }) => kind === 'wrap' && id === header.toString('hex', 1));
    if (!wrap || wrap.destroyed) refuse('open', `the wrap key of row ${row.name} is not there`);
    const parts = ['subject-key', this.deployment, this.tenant, ref, Buffer.from(row.commitment, 'hex'), `${row.version}`];
    const aad = Buffer.concat([header, bind(...parts.map((part) => Buffer.from(part)))]);
    return this.checked(row, openRecord(derive(this.loadTenantKey(wrap), 'wrap'), aad, blob.subarray(17)));
  }

  // The reference of a subject, or undefined where no subject of the tenant has a key.
  refOf(subject) {
    const all = this.keys(this.root).filter(({ name }) => name.startsWith(`${this.root}lookup/`));
    for (const { fault } of all) if (fault) throw fault;
    const lookup = all.filter(({ destroyed, closed }) => !destroyed && !closed).at(-1);
    return lookup && subjectRef(this.loadTenantKey(lookup), Buffer.from(subject));
  }

  // Why a scope has no key with an id.
  missing(id, scope) {
    const name = `id/${id}`;
    if (!Object.hasOwn(this.rows, name)) refuse('unknown_key', id);
    const owner = /^(.*\/)data\//s.exec(parseRow(name, this.rows[name], entry).row);
    if (owner && owner[1] !== scope) refuse('wrong_scope', id);
    refuse('unknown_key', owner ? `${id}: its row is missing or damaged` : id);
  }
  // The data key of a scope that has an id. ref is that of a subject.
  find(hex, scope, ref) {
    this.checkState(scope);
    const row = this.keys(scope).find((k) => k.kind === 'data' && k.id === hex) ?? this.missing(hex, scope);
    if (row.destroyed) refuse('erased', row.name);
    return ref ? this.loadSubjectKey(row, ref) : this.loadTenantKey(row);
  }
}

/**
 * A findKey of a tenant, or of a subject where it is given. rows is an object of the names and values in the store, both
 * text; localKey is what wraps the tenant's keys, and keyId is needed where several recipients are local.
 */
export function storedKeys({ subject, ...options }) {
  const store = new Store(options);
  return (id) => {
    const hex = id.toString('hex');
    store.checkState(store.root);
    const ref = subject === undefined ? undefined : store.refOf(subject);
    if (subject !== undefined && !ref) store.missing(hex);
    return store.find(hex, ref ? `subject/${escape(store.tenant)}/${ref.toString('hex')}/` : store.root, ref);
  };
}

/** A findKey of a tenant and of all its subjects: the id row of a key says whose it is. */
export function storedKeysOfAll(options) {
  const store = new Store(options);
  return (id) => {
    const hex = id.toString('hex');
    const name = `id/${hex}`;
    if (!Object.hasOwn(store.rows, name)) refuse('unknown_key', hex);
    const owner = /^(.*\/)data\//s.exec(parseRow(name, store.rows[name], entry).row)?.[1];
    if (!owner) refuse('unknown_key', hex);
    const of = `subject/${escape(store.tenant)}/`;
    if (owner !== store.root && !owner.startsWith(of)) refuse('wrong_scope', hex);
    store.checkState(store.root);
    return store.find(hex, owner, owner === store.root ? undefined : Buffer.from(owner.slice(of.length, -1), 'hex'));
  };
}
