// Portable messages and the local provider, written from envelope/FORMAT.md alone ("section N" below).

import { timingSafeEqual } from 'node:crypto';
import { derive, hmac, openRecord, openStream, refuse, uint } from './bare.mjs';

// Section 5: portable messages.

/** Takes fields off the front of bytes. */
export class Fields {
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

export function parseWrapped(fields) {
  const [provider, keyId, version] = [1, 2, 1].map((lengthBytes) => fields.field(lengthBytes));
  const blob = fields.field(2);
  if (provider.length === 0 || blob.length === 0) refuse('format', 'a wrapped key names no provider or is empty');
  const name = `${provider.toString('hex')}:${keyId.toString('hex')}`; // Text could be equal where bytes are not.
  return { name, provider: `${provider}`, keyId: `${keyId}`, version: `${version}`, blob };
}

/** The wrapped keys of one, each of which can open alone. */
export function parseRecipients(wrapped) {
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

/** Parses bytes that are Wrapped and no more, and returns its recipients. */
export function parseAllWrapped(bytes) {
  const fields = new Fields(bytes);
  const wrapped = parseWrapped(fields);
  if (fields.rest.length > 0) refuse('format', 'bytes after a wrapped key');
  return parseRecipients(wrapped);
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
  const dataKey = keys.dataKey ?? unwrapLocal(keys, { ...context, 'holdfast:purpose': 'message' }, header.recipients);
  const mac = hmac('sha256', derive(dataKey, 'header'), header.bytes.subarray(0, -32));
  if (!timingSafeEqual(header.bytes.subarray(-32), mac)) refuse('open', 'wrong key or a changed message header');
  const aad = Buffer.concat([Buffer.from('holdfast/v1 message\0'), header.stored]);
  yield* openStream(source, derive(dataKey, 'body'), aad, options);
}

// Section 7: the local provider. localKey is the key material of the version that the message names.

export const openLocal = (localKey, context, blob) => openRecord(derive(localKey, 'kms local'), canonical(context), blob);

/** Unwraps the 32-byte key of a message or of a stored row, given the full context. */
export function unwrapLocal({ localKey, keyId }, context, recipients) {
  const local = recipients.filter((r) => r.provider === 'local' && (keyId ?? r.keyId) === r.keyId);
  if (local.length === 0) refuse('open', 'the key was not wrapped by this local key');
  if (local.length > 1) refuse('open', 'several recipients are local: say which by its key id');
  const key = openLocal(localKey, context, local[0].blob);
  return key.length === 32 ? key : refuse('open', 'the wrapped key does not have 32 bytes');
}
