// Columns, indexes and credentials, written from envelope/FORMAT.md alone ("section N" below).

import crypto from 'node:crypto';
import { derive, hmac, refuse } from './bare.mjs';
import { openManagedRecord } from './keyring.mjs';

// Section 10: columns. The length of the body of each type; those without one are free.
const lengths = { 1: null, 2: null, 3: 1, 4: 8, 5: 8, 6: 8, 7: 16, 8: null, 9: null, 10: null };

function unpad(body) {
  const end = body.findLastIndex((b) => b !== 0);
  if (body[end] !== 0x80) refuse('format', 'padding that is not 80 and zeros');
  return body.subarray(0, end);
}

/** Returns the type and the body of a column's value, without its padding. */
export function openColumn(record, binding, findKey) {
  if (record[0] !== 0xf5) refuse('format', 'the column holds what is no record');
  const plaintext = openManagedRecord(record, binding, findKey);
  const type = plaintext[0] & 0x7f;
  if (plaintext.length === 0 || !Object.hasOwn(lengths, type)) refuse('format', 'a value of no known type');
  const body = plaintext[0] & 0x80 ? unpad(plaintext.subarray(1)) : plaintext.subarray(1);
  if (body.length !== (lengths[type] ?? body.length)) refuse('format', 'a value of another length than its type has');
  if (type === 3 && body[0] > 1) refuse('format', 'a boolean that is neither true nor false');
  if (type === 7 && body.readUInt32BE(8) >= 1e9) refuse('format', 'a time with too many nanoseconds');
  return { type, body };
}

// Section 10: blind indexes.

/** The token of what stands for a value: normalizer || 00 || normalized value. parts are table, column and index name. */
export const token = (lookupKey, parts, input, length) =>
  hmac('sha256', derive(lookupKey, 'index', ...parts), input).subarray(0, length);

// Full case folding. It is the lower case of the capital of a character, but for these.
function fold(c) {
  const code = c.codePointAt(0);
  if (c === '\u0131' || (code >= 0x13a0 && code <= 0x13f5)) return c;
  if (code >= 0x13f8 && code <= 0x13fd) return String.fromCodePoint(code - 8);
  if (code >= 0xab70 && code <= 0xabbf) return String.fromCodePoint(code - 0xab70 + 0x13a0);
  return c.toLowerCase().toUpperCase().toLowerCase();
}

const lower = (c) => (c === '\u03c2' ? '\u03c3' : c.toLowerCase());
const trim = (text) => text.replace(/^\p{White_Space}+|\p{White_Space}+$/gu, '');
const mapped = (text, change) => trim(Array.from(text.normalize('NFKC'), change).join('').normalize('NFKC'));

// The value of a decimal digit: each script has its ten in a row.
function digit(c) {
  const code = c.codePointAt(0);
  let zero = code;
  while (/\p{Nd}/u.test(String.fromCodePoint(zero - 1))) zero--;
  return (code - zero) % 10;
}

const separators = /[()[\]/.\u00b7\u2212\u30fc\p{White_Space}\p{Pd}\p{Cf}]/gu;

const normalizers = {
  'exact/v1': (text) => text,
  'casefold/v1': (text) => mapped(text, fold),
  'email/v1': (text) => mapped(text, lower),
  'phone/v1': (text) =>
    mapped(text, fold).replace(separators, '').replace(/\p{Nd}/gu, digit).normalize('NFKC').replace(/^00/, '+'),
};

/** The normal form of a text. */
export function normalize(normalizer, text) {
  if (!Object.hasOwn(normalizers, normalizer)) throw new TypeError(`unknown normalizer ${normalizer}`);
  return normalizers[normalizer](text);
}

// Section 10: sealed texts.
export function openSealedText(text, binding, findKey) {
  const sealed = trim(text);
  if (!sealed.startsWith('enc:')) refuse('not_sealed', 'the text does not start with enc:');
  if (!sealed.startsWith('enc:v1:')) refuse('format', 'the text does not start with enc:v1:');
  if (sealed.length > 65536) refuse('format', 'a sealed text has at most 65536 bytes');
  return openManagedRecord(decode(sealed.slice(7), 'base64url'), binding, findKey);
}

// Base64 without padding, in the one form that its bytes have.
function decode(text, encoding) {
  const bytes = Buffer.from(text, encoding);
  if (bytes.toString(encoding).replace(/=+$/, '') !== text) refuse('format', 'no base64, or not in its one form');
  return bytes;
}

// Section 10: passwords.
const number = '(0|[1-9][0-9]{0,9})';
const rest = '\\$([A-Za-z0-9+/]+)\\$([A-Za-z0-9+/]+)$';
const hashes = {
  argon2id: new RegExp(`^\\$(argon2id)\\$v=19\\$m=${number},t=${number},p=${number}${rest}`),
  'pbkdf2-sha256': new RegExp(`^\\$(pbkdf2-sha256)\\$i=${number}${rest}`),
};

/** The parts of a PHC string. maxMemory is in KiB. */
export function parseHash(text, maxMemory = 256 << 10) {
  if (text.length > 512) refuse('format', 'a password hash has at most 512 bytes');
  const [, algorithm, ...parts] = hashes.argon2id.exec(text) ?? hashes['pbkdf2-sha256'].exec(text) ?? [];
  if (!algorithm) refuse('format', 'no password hash of a known form');
  const [salt, tag] = parts.splice(-2).map((part) => decode(part, 'base64'));
  const within = (n, least, most) => n >= least && n <= most;
  const [m, t, p] = parts.map(Number);
  const bounded = algorithm === 'argon2id'
    ? within(m, 8 * p, maxMemory) && within(t, 1, 16) && within(p, 1, 16)
    : within(m, 1, 10_000_000);
  if (!bounded || !within(salt.length, 8, 64) || !within(tag.length, 16, 64)) refuse('format', 'parameters out of bounds');
  return algorithm === 'argon2id' ? { algorithm, memory: m, passes: t, parallelism: p, salt, tag } : { algorithm, iterations: m, salt, tag };
}

/** Returns what is stored of a password: a PHC string. */
export function openPassword(record, binding, findKey) {
  const text = openManagedRecord(record, binding, findKey).toString('latin1');
  parseHash(text);
  return text;
}

/** The algorithms that hashPassword computes with this Node.js: argon2id from 24.7 on. */
export const algorithms = ['pbkdf2-sha256', ...(crypto.argon2Sync ? ['argon2id'] : [])];

/** Computes the tag of a password as a PHC string asks for. */
export function hashPassword(text, password) {
  const { algorithm, salt, tag, iterations, ...costs } = parseHash(text);
  if (!algorithms.includes(algorithm)) throw new TypeError(`this Node.js has no ${algorithm}`);
  if (algorithm === 'argon2id') return crypto.argon2Sync(algorithm, { message: password, nonce: salt, tagLength: tag.length, ...costs });
  return crypto.pbkdf2Sync(password, salt, iterations, tag.length, 'sha256');
}
