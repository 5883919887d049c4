#!/usr/bin/env node
// A second reader of Holdfast's formats, written from envelope/FORMAT.md alone ("section N" below). It needs no packages.

import { createCipheriv, createDecipheriv, createHmac, timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import { realpathSync } from 'node:fs';
import { lstat, open, readFile, rename, rm } from 'node:fs/promises';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';

const classes = { truncated: 'truncated', format: 'malformed', open: 'authentication failed', context: 'context differs' };

/** Why an input was refused. `kind` is a class of FORMAT.md: "truncated", "format", "open" or "context". */
export class ReadError extends Error {
  constructor(kind, message) {
    super(`${classes[kind]}: ${message}`);
    this.kind = kind;
  }
}

const refuse = (kind, message) => { throw new ReadError(kind, message); };

/** Bytes of an iterable or async iterable of Buffers. It holds what was asked for and at most one chunk more. */
export class Source {
  #chunks;
  #rest = Buffer.alloc(0);

  constructor(chunks) {
    this.#chunks = chunks[Symbol.asyncIterator]?.() ?? chunks[Symbol.iterator]();
  }

  /** Reads n bytes; fewer only at the end of the input. */
  async read(n) {
    const parts = [this.#rest];
    for (let have = this.#rest.length; have < n; have += parts.at(-1).length) {
      const { value, done } = await this.#chunks.next();
      if (done) break;
      parts.push(value);
    }
    const all = parts.length === 1 ? parts[0] : Buffer.concat(parts);
    this.#rest = all.subarray(n);
    return all.subarray(0, n);
  }
}

export async function collect(chunks) {
  const parts = [];
  for await (const part of chunks) parts.push(part);
  return Buffer.concat(parts);
}

// Section 1: derivation.
function uint(bytes, n) {
  const out = Buffer.alloc(bytes);
  out.writeUIntBE(n, 0, bytes);
  return out;
}

const hmac = (hash, key, ...parts) => parts.reduce((h, part) => h.update(part), createHmac(hash, key)).digest();

// No use in the format needs more than the first block of HKDF-Expand.
const expand = (hash, key, info, length) => hmac(hash, key, ...info, uint(1, 1)).subarray(0, length);

export function derive(key, label, ...info) {
  if (!/^[a-z0-9 /-]{1,64}$/.test(label)) throw new TypeError('a label is 1 to 64 bytes of a-z 0-9 space - /');
  const parts = info.flatMap((part) => [uint(4, part.length), part]);
  return expand('sha256', key, [`holdfast/v1 ${label}\0`, ...parts], 32);
}

export const commitment = (key) => expand('sha256', key, ['holdfast/v1 commitment'], 32);

// Section 2: records.
function openGCM(key, nonce, sealed, aad) {
  const gcm = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: 16 });
  gcm.setAAD(aad);
  gcm.setAuthTag(sealed.subarray(-16));
  const plaintext = gcm.update(sealed.subarray(0, -16));
  try {
    gcm.final();
  } catch {
    plaintext.fill(0);
    refuse('open', 'wrong key, wrong additional data or changed bytes');
  }
  return plaintext;
}

/** The AES-256-GCM key that XAES-256-GCM uses for a nonce of 24 bytes. */
export function xaesKey(key, nonce) {
  const aes = createCipheriv('aes-256-ecb', key, null).setAutoPadding(false);
  const l = aes.update(Buffer.alloc(16));
  const k1 = l.map((b, i) => (b << 1) | (i < 15 ? l[i + 1] >> 7 : 0));
  k1[15] ^= 0x87 & -(l[0] >> 7);
  const block = (counter) => {
    const m = Buffer.concat([Buffer.from([0, counter, 0x58, 0]), nonce.subarray(0, 12)]);
    return aes.update(m.map((b, i) => b ^ k1[i]));
  };
  return Buffer.concat([block(1), block(2)]);
}

export function openRecord(key, aad, sealed) {
  if (sealed.length < 40) refuse('open', 'a record has at least 40 bytes');
  const nonce = sealed.subarray(0, 24);
  return openGCM(xaesKey(key, nonce), nonce.subarray(12), sealed.subarray(24), aad);
}

// Section 3: streams.

/** Yields the plaintext of one segment at a time, each when it is authenticated. */
export async function* openStream(source, key, aad, { maxSegment = 16 << 20, rotationBits = 20 } = {}) {
  const header = await source.read(74);
  if (header.length < 74) refuse('truncated', 'the input ends within the stream header');
  const size = header.readUInt32BE(2);
  if (header.readUInt16BE(0) !== 0 || header.readUInt32BE(6) !== 32) refuse('format', 'not a stream');
  if (!(size >= 40 && size <= maxSegment)) refuse('format', `segments of ${size} bytes: not in 40 to ${maxSegment}`);
  const kdf = (k, length, ...purpose) => expand('sha384', k, [header.subarray(0, 42), ...purpose, aad], length);
  const tag = kdf(key, 32, 'HEADER_TAG:');
  if (!timingSafeEqual(header.subarray(42), tag)) refuse('open', 'wrong key, wrong additional data or a changed header');
  const messageKey = kdf(key, 48, 'MESSAGE_KEY:');
  let segmentKey;
  for (let i = 0; i < 2 ** 40; i++) {
    const word = await source.read(4);
    if (word.length < 4) refuse('truncated', 'the input ends before the last segment');
    const last = word.readUInt32BE() !== 0xffffffff;
    const length = last ? word.readUInt32BE() : size;
    if (length < 32 || length > size) refuse('format', 'impossible length of a segment');
    const rest = await source.read(length - 4);
    if (rest.length < length - 4) refuse('truncated', 'the input ends within a segment');
    const counter = Buffer.alloc(8);
    counter.writeBigUInt64BE(BigInt(i));
    // The counter's low bits are zero whenever a key is made, as the derivation wants.
    if (i % 2 ** rotationBits === 0) segmentKey = kdf(messageKey, 32, 'DEK:', counter);
    const bound = Buffer.concat([counter, uint(1, last ? 1 : 0)]);
    const plaintext = openGCM(segmentKey, rest.subarray(0, 12), rest.subarray(12), bound);
    if (last && (await source.read(1)).length > 0) refuse('format', 'bytes after the last segment');
    yield plaintext;
    if (last) return;
  }
  refuse('format', 'more than 2^40 segments');
}

// Section 5: portable messages.

class Fields {
  constructor(bytes) {
    this.rest = bytes;
  }

  take(n) {
    if (n > this.rest.length) refuse('format', 'a length reaches beyond its field');
    const out = this.rest.subarray(0, n);
    this.rest = this.rest.subarray(n);
    return out;
  }

  uint(bytes) {
    return this.take(bytes).readUIntBE(0, bytes);
  }

  field(lengthBytes) {
    return this.take(this.uint(lengthBytes));
  }
}

function encode(context) {
  const pairs = Object.entries(context).map((pair) => pair.map((text) => Buffer.from(text)));
  pairs.sort(([a], [b]) => Buffer.compare(a, b));
  return Buffer.concat([uint(2, pairs.length), ...pairs.flat().flatMap((text) => [uint(2, text.length), text])]);
}

/** canonical(ec) of the caller's context, an object of strings. */
export function canonical(context) {
  const texts = Object.entries(context).flat();
  const unicode = texts.every((text) => typeof text === 'string' && Buffer.from(text).toString() === text);
  if (!unicode || Object.hasOwn(context, '')) refuse('context', 'a context holds Unicode text, and no key is empty');
  const size = texts.reduce((sum, text) => sum + 2 + Buffer.byteLength(text), 2);
  if (size > 8192) refuse('context', 'a context has at most 8192 bytes');
  return encode(context);
}

function parseContext(bytes) {
  const fields = new Fields(bytes);
  const pairs = [];
  for (let n = fields.uint(2); n > 0; n--) pairs.push([fields.field(2).toString(), fields.field(2).toString()]);
  const context = Object.fromEntries(pairs);
  // Bytes that are no UTF-8, another order, a key that stands twice or bytes after the end: all come out different.
  if (!encode(context).equals(bytes)) refuse('format', 'the context is not canonical');
  const reserved = pairs.some(([key]) => key === '' || key.startsWith('holdfast:'));
  if (reserved) refuse('format', 'the context holds an empty or a reserved key');
  return context;
}

function parseWrapped(fields) {
  const [provider, keyId, version] = [1, 2, 1].map((lengthBytes) => fields.field(lengthBytes));
  const blob = fields.field(2);
  if (provider.length === 0 || blob.length === 0) refuse('format', 'a wrapped key names no provider or is empty');
  const name = `${provider.toString('hex')}:${keyId.toString('hex')}`; // Text could be equal where bytes are not.
  return { name, provider: `${provider}`, keyId: `${keyId}`, version: `${version}`, blob };
}

// The wrapped keys, each of which can open alone.
function parseRecipients(wrapped) {
  if (wrapped.provider !== 'any') return [wrapped];
  const fields = new Fields(wrapped.blob);
  const count = fields.uint(1);
  if (count < 1 || count > 16) refuse('format', 'a list has 1 to 16 recipients');
  if (wrapped.keyId || wrapped.version) refuse('format', 'a list of recipients with a key id or a version');
  const recipients = Array.from({ length: count }, () => {
    const inner = new Fields(fields.field(2));
    const recipient = parseWrapped(inner);
    if (inner.rest.length > 0) refuse('format', 'bytes after a recipient');
    if (recipient.provider === 'any') refuse('format', 'a list in a list of recipients');
    return recipient;
  });
  if (fields.rest.length > 0) refuse('format', 'bytes after the last recipient');
  if (new Set(recipients.map(({ name }) => name)).size < count) refuse('format', 'a recipient stands twice');
  return recipients;
}

/** Reads and parses a message header. Nothing in the result is authenticated. */
export async function readHeader(source) {
  const start = await source.read(6);
  if (start.length < 6) refuse('truncated', 'the input ends within the message header');
  const size = start.readUInt16BE(2);
  const contextSize = start.readUInt16BE(4);
  if (start[0] !== 0xf6 || start[1] !== 1) refuse('format', 'not a message of version 1');
  if (size === 0 || size % 64 !== 0) refuse('format', 'impossible length of the message header');
  if (contextSize > 8192 || 6 + contextSize > size - 32) refuse('format', 'impossible length of the context');
  const bytes = Buffer.concat([start, await source.read(size - 6)]);
  if (bytes.length < size) refuse('truncated', 'the input ends within the message header');

  const fields = new Fields(bytes.subarray(6, -32));
  const stored = fields.take(contextSize);
  const context = parseContext(stored);
  const recipients = parseRecipients(parseWrapped(fields));
  if (fields.rest.some((b) => b !== 0)) refuse('format', 'padding that is not zero');
  return { bytes, stored, context, recipients };
}

/**
 * Yields the plaintext of a message. keys is {dataKey} or {localKey, keyId}; keyId is needed where several recipients
 * are local. context is the caller's own record of it.
 */
export async function* openMessage(source, keys, context, options) {
  const header = await readHeader(source);
  if (!header.stored.equals(canonical(context))) refuse('context', "the message has another context than the caller's");
  const dataKey = keys.dataKey ?? unwrapLocal(keys, context, header.recipients);
  const mac = hmac('sha256', derive(dataKey, 'header'), header.bytes.subarray(0, -32));
  if (!timingSafeEqual(header.bytes.subarray(-32), mac)) refuse('open', 'wrong key or a changed message header');
  const aad = Buffer.concat([Buffer.from('holdfast/v1 message\0'), header.stored]);
  yield* openStream(source, derive(dataKey, 'body'), aad, options);
}

// Section 7: the local provider. localKey is the key material of the version that the message names.

export const openLocal = (localKey, context, blob) => openRecord(derive(localKey, 'kms local'), canonical(context), blob);

function unwrapLocal({ localKey, keyId }, context, recipients) {
  const local = recipients.filter((r) => r.provider === 'local' && (keyId ?? r.keyId) === r.keyId);
  if (local.length === 0) refuse('open', 'the data key was not wrapped by this local key');
  if (local.length > 1) refuse('open', 'several recipients are local: say which by its key id');
  const dataKey = openLocal(localKey, { ...context, 'holdfast:purpose': 'message' }, local[0].blob);
  return dataKey.length === 32 ? dataKey : refuse('open', 'the data key does not have 32 bytes');
}

// Section 9: vectors.
function hex(text = '', bytes = text.length / 2) {
  if (text.length !== 2 * bytes || !/^[0-9a-f]*$/i.test(text)) throw new TypeError('not hex, or of the wrong length');
  return Buffer.from(text, 'hex');
}

const keysOf = (v) => (v.dataKey ? { dataKey: hex(v.dataKey, 32) } : { localKey: hex(v.localKey, 32), keyId: v.keyID });

const runners = {
  commitment: (v) => commitment(hex(v.key, 32)),
  derive: (v) => derive(hex(v.key, 32), v.label, ...(v.info ?? []).map((part) => hex(part))),
  record: (v) => openRecord(hex(v.key, 32), hex(v.aad), hex(v.in)),
  stream: (v) => collect(openStream(new Source([hex(v.in)]), hex(v.key, 32), hex(v.aad))),
  message: (v) => collect(openMessage(new Source([hex(v.in)]), keysOf(v), v.context ?? {})),
  local: (v) => openLocal(hex(v.localKey, 32), v.context ?? {}, hex(v.in)),
};

// Returns what is wrong with the outcome, or undefined.
async function checkVector(v) {
  try {
    const out = await runners[v.kind](v);
    if (v.expect !== 'ok') return `expected ${v.expect}, but it opened`;
    return out.toString('hex') === v.out?.toLowerCase() ? undefined : 'opened to other bytes';
  } catch (err) {
    if (err instanceof ReadError && err.kind === v.expect) return undefined;
    return `expected ${v.expect}, got ${err.message}`;
  }
}

async function runVectors(args) {
  const { values, positionals: files } = parseArgs({ args, options: { skip: { type: 'string' } }, allowPositionals: true });
  if (Object.hasOwn(runners, values.skip ?? '')) throw new TypeError('--skip is for a kind that this reader does not know');
  const count = { passed: 0, failed: 0, skipped: 0 };
  for (const file of files) {
    const { format, vectors } = JSON.parse(await readFile(file, 'utf8'));
    if (format !== 'holdfast vectors v1') throw new TypeError(`${file}: not a file of vectors`);
    for (const v of vectors) {
      if (values.skip && v.kind === values.skip) {
        count.skipped++;
        continue;
      }
      const problem = await checkVector(v);
      if (problem) console.log(`FAIL ${file}: ${v.name}: ${problem}`);
      count[problem ? 'failed' : 'passed']++;
    }
  }
  const skipped = values.skip ? `, ${count.skipped} of kind ${values.skip} skipped` : '';
  console.log(`${count.passed} passed, ${count.failed} failed${skipped}`);
  if (count.failed > 0 || count.passed === 0) process.exitCode = 1;
}

// The command line. README.md beside this file describes it.
const options = {
  record: ['key', 'key-file', 'aad', 'aad-hex'],
  stream: ['key', 'key-file', 'aad', 'aad-hex', 'max-segment'],
  message: ['data-key', 'data-key-file', 'local-key', 'local-key-file', 'key-id', 'context', 'max-segment'],
  inspect: [],
};

async function readKey(name, value) {
  if (!name.endsWith('-file')) return hex(value, 32);
  const bytes = await readFile(value);
  return bytes.length === 32 ? bytes : hex(bytes.toString('latin1').trim(), 32);
}

// A file appears at path only when everything was authentic.
async function write(path, chunks) {
  if (path === '-') {
    for await (const chunk of chunks) if (!process.stdout.write(chunk)) await once(process.stdout, 'drain');
    return;
  }
  if ((await lstat(path).catch(() => undefined))?.isFile() === false) throw new TypeError('OUT is not a regular file');
  const file = await open(`${path}.partial`, 'wx', 0o600);
  try {
    await file.writeFile(chunks);
    await file.sync();
    await rename(`${path}.partial`, path);
  } catch (err) {
    await rm(`${path}.partial`, { force: true });
    throw err;
  } finally {
    await file.close();
  }
}

async function inspect(source) {
  const { bytes, context, recipients } = await readHeader(source);
  const head = { note: 'not authenticated: anyone could have written this', headerBytes: bytes.length };
  const list = recipients.map(({ provider, keyId, version, blob }) => ({ provider, keyId, version, blobBytes: blob.length }));
  const said = { ...head, context, recipients: list };
  const escape = (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`; // Stored text must not steer the terminal.
  console.log(JSON.stringify(said, null, 2).replace(/[^\n -~]/g, escape));
}

async function main([command, ...args]) {
  if (command === 'vectors') return runVectors(args);
  if (!Object.hasOwn(options, command)) throw new TypeError('commands: record, stream, message, inspect, vectors');
  const known = Object.fromEntries(options[command].map((name) => [name, { type: 'string' }]));
  const { values, positionals } = parseArgs({ args, options: known, allowPositionals: true });
  const [input, output] = positionals;
  if (positionals.length !== (command === 'inspect' ? 1 : 2)) throw new TypeError('wrong number of files');
  const chunks = input === '-' ? process.stdin : (await open(input)).createReadStream();
  const source = new Source(chunks);
  if (command === 'inspect') return inspect(source);
  const [name, ...more] = Object.keys(values).filter((option) => /key(-file)?$/.test(option));
  if (!name || more.length > 0) throw new TypeError('exactly one key is needed');
  const key = await readKey(name, values[name]);
  if (name.startsWith('data') && values['key-id'] !== undefined) throw new TypeError('--key-id goes with a local key');
  const keys = name.startsWith('data') ? { dataKey: key } : { localKey: key, keyId: values['key-id'] };
  if (values.aad !== undefined && values['aad-hex'] !== undefined) throw new TypeError('give --aad or --aad-hex, not both');
  const aad = values.aad === undefined ? hex(values['aad-hex']) : Buffer.from(values.aad);
  const limits = { maxSegment: Number(values['max-segment'] ?? 16 << 20) };
  const plaintext = {
    record: async function* () { yield openRecord(key, aad, await collect(chunks)); },
    stream: () => openStream(source, key, aad, limits),
    message: () => openMessage(source, keys, JSON.parse(values.context ?? '{}'), limits),
  };
  return write(output, plaintext[command]());
}

if (process.argv[1] && import.meta.url === pathToFileURL(realpathSync(process.argv[1])).href) {
  main(process.argv.slice(2)).catch((err) => {
    console.error(`open.mjs: ${err.message}`);
    process.exitCode = 1;
  }).finally(() => process.stdin.destroy());
}
