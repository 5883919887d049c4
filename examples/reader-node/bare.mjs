// Bare records and streams, written from envelope/FORMAT.md alone ("section N" below).

import { createCipheriv, createDecipheriv, createHmac, timingSafeEqual } from 'node:crypto';

const classes = {
  truncated: 'truncated', format: 'malformed', open: 'authentication failed', context: 'context differs',
  unknown_key: 'unknown key', wrong_scope: 'of another tenant or subject', erased: 'erased', disabled: 'disabled',
  not_sealed: 'not sealed',
};

/** Why an input was refused. `kind` is a class of FORMAT.md, such as "truncated". */
export class ReadError extends Error {
  constructor(kind, message) {
    super(`${classes[kind]}: ${message}`);
    this.kind = kind;
  }
}

export const refuse = (kind, message) => { throw new ReadError(kind, message); };

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
export function uint(bytes, n) {
  const out = Buffer.alloc(bytes);
  out.writeUIntBE(n, 0, bytes);
  return out;
}

export const hmac = (hash, key, ...parts) => parts.reduce((h, part) => h.update(part), createHmac(hash, key)).digest();

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

// The keys of the stream that starts with a header, once it is known to be authentic.
function start(header, key, aad, { maxSegment = 16 << 20, rotationBits = 20 } = {}) {
  if (header.length < 74) refuse('truncated', 'the input ends within the stream header');
  const size = header.readUInt32BE(2);
  if (header.readUInt16BE(0) !== 0 || header.readUInt32BE(6) !== 32) refuse('format', 'not a stream');
  if (!(size >= 40 && size <= maxSegment)) refuse('format', `segments of ${size} bytes: not in 40 to ${maxSegment}`);
  const kdf = (k, length, ...purpose) => expand('sha384', k, [header.subarray(0, 42), ...purpose, aad], length);
  const tag = kdf(key, 32, 'HEADER_TAG:');
  if (!timingSafeEqual(header.subarray(42), tag)) refuse('open', 'wrong key, wrong additional data or a changed header');
  const messageKey = kdf(key, 48, 'MESSAGE_KEY:');
  const counter = (i) => {
    const out = Buffer.alloc(8);
    out.writeBigUInt64BE(BigInt(i));
    return out;
  };
  let made;
  const segmentKey = (i) => {
    const first = i - (i % 2 ** rotationBits);
    if (made?.first !== first) made = { first, key: kdf(messageKey, 32, 'DEK:', counter(first)) };
    return made.key;
  };
  /** Opens segment i, given without its length word. */
  const open = (i, rest, last) =>
    openGCM(segmentKey(i), rest.subarray(0, 12), rest.subarray(12), Buffer.concat([counter(i), uint(1, last ? 1 : 0)]));
  return { size, open };
}

/** Yields the plaintext of one segment at a time, each when it is authenticated. */
export async function* openStream(source, key, aad, options) {
  const { size, open } = start(await source.read(74), key, aad, options);
  for (let i = 0; i < 2 ** 40; i++) {
    const word = await source.read(4);
    if (word.length < 4) refuse('truncated', 'the input ends before the last segment');
    const last = word.readUInt32BE() !== 0xffffffff;
    const length = last ? word.readUInt32BE() : size;
    if (length < 32 || length > size) refuse('format', 'impossible length of a segment');
    const rest = await source.read(length - 4);
    if (rest.length < length - 4) refuse('truncated', 'the input ends within a segment');
    const plaintext = open(i, rest, last);
    if (last && (await source.read(1)).length > 0) refuse('format', 'bytes after the last segment');
    yield plaintext;
    if (last) return;
  }
  refuse('format', 'more than 2^40 segments');
}

/** Returns length bytes of the plaintext from offset on, or as many as there are. It opens their segments and the last one. */
export function openStreamAt(bytes, key, aad, offset, length, options) {
  const { size, open } = start(bytes.subarray(0, 74), key, aad, options);
  const end = Math.ceil((bytes.length - 74) / size) - 1;
  if (end < 0) refuse('truncated', 'the input ends before the last segment');
  const segment = (i) => {
    const sealed = bytes.subarray(74 + i * size, 74 + (i + 1) * size);
    if (sealed.length < 32) refuse('truncated', 'the input ends within a segment');
    const word = sealed.readUInt32BE();
    if (i === end && word === 0xffffffff) refuse('truncated', 'the input ends before the last segment');
    if (word !== (i === end ? sealed.length : 0xffffffff)) refuse('format', 'impossible length of a segment');
    return open(i, sealed.subarray(4), i === end);
  };
  const parts = [];
  const each = size - 32;
  const total = end * each + segment(end).length;
  for (let at = Math.min(offset, total); at < Math.min(offset + length, total); at = (Math.floor(at / each) + 1) * each) {
    const first = Math.floor(at / each) * each;
    parts.push(segment(first / each).subarray(at - first, offset + length - first));
  }
  return Buffer.concat(parts);
}
