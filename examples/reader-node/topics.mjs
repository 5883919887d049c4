// Messages of a broker, written from envelope/FORMAT.md alone ("section N" below).

import { createHash, timingSafeEqual } from 'node:crypto';
import { commitment, refuse } from './bare.mjs';
import { bind, onlyKey, openManagedRecord } from './keyring.mjs';
import { Fields, parseRecipients, parseWrapped, unwrapLocal } from './messages.mjs';

// Section 11: where a payload belongs.

/**
 * The binding of a payload. key is that of the record as the broker has it, undefined where there is none; headers are
 * pairs of a name and a value, and bound are the names of those that belong to the message.
 */
export function place({ topic, key, bound = [], headers = [] }) {
  const values = (name) => headers.filter(([other]) => name.equals(Buffer.from(other))).map(([, value]) => value);
  const names = bound.map((name) => Buffer.from(name)).sort(Buffer.compare);
  const keyPart = key === undefined ? '' : 'k';
  const parts = ['message', topic].map((text) => Buffer.from(text));
  return bind(...parts, Buffer.concat([Buffer.from(keyPart), key ?? Buffer.alloc(0)]), bind(...names.map((name) => bind(name, ...values(name)))));
}

// Section 11: forms.
function padme(n) {
  const exponent = 31 - Math.clz32(n);
  const unit = 2 ** Math.max(exponent - (32 - Math.clz32(exponent)), 0);
  return Math.ceil(n / unit) * unit;
}

function parseForm(plaintext) {
  const form = plaintext[0];
  if (plaintext.length === 0 || form & ~0x83) refuse('format', 'a message of no known form');
  let rest = plaintext.subarray(1);
  if (form & 0x80) {
    const end = rest.findLastIndex((b) => b !== 0);
    if (rest[end] !== 0x80 || padme(end + 2) !== plaintext.length) refuse('format', "the message's padding");
    rest = rest.subarray(0, end);
  }
  const fields = new Fields(rest);
  const key = form & 1 ? fields.field(2) : undefined;
  const stamp = form & 2 ? {
    name: fields.field(1), instance: fields.take(8), sequence: fields.take(8).readBigUInt64BE(), time: fields.take(8).readBigInt64BE(),
  } : undefined;
  return { key, stamp, value: fields.rest };
}

/**
 * Returns what a payload holds: value, the key that travelled inside and the stamp, both undefined where there is none.
 * at is where it arrived, as for place.
 */
export function openPayload(payload, at, findKey) {
  if (!(payload[0] >= 0xf5 && payload[0] <= 0xf8)) refuse('not_sealed', 'the payload was never sealed');
  return parseForm(openManagedRecord(payload, place(at), findKey));
}

// Section 11: key messages.

const sha256 = (text) => createHash('sha256').update(text).digest('hex');

function parseKeyMessage(bytes) {
  if (bytes[0] !== 0xf8 || bytes[1] !== 1) refuse('format', 'not a key message');
  const fields = new Fields(bytes.subarray(2));
  const name = fields.field(2);
  const topic = name.toString();
  if (!/^[^\0+#]+$/.test(topic) || !Buffer.from(topic).equals(name)) refuse('format', 'a key message of no topic');
  const count = fields.uint(1);
  if (count < 1 || count > 2) refuse('format', 'a key message has one or two keys');
  const list = Array.from({ length: count }, () => {
    const own = fields.take(32);
    const inner = new Fields(fields.field(2));
    const wrapped = parseWrapped(inner);
    if (inner.rest.length > 0) refuse('format', 'bytes after a wrapped key');
    return { own, wrapped };
  });
  if (fields.rest.length > 0) refuse('format', 'bytes after the last key');
  if (new Set(list.map(({ own }) => own.toString('hex', 0, 16))).size < count) refuse('format', 'a key stands twice');
  return { topic, list };
}

function unwrapAnnounced({ own, wrapped }, topic, keys, context) {
  const full = {
    ...context, 'holdfast:purpose': 'message-key', 'holdfast:topic': sha256(topic), 'holdfast:commitment': own.toString('hex'),
  };
  let recipients;
  try {
    recipients = parseRecipients(wrapped);
  } catch (err) {
    refuse('open', err.message);
  }
  const raw = unwrapLocal(keys, full, recipients);
  return timingSafeEqual(commitment(raw), own) ? raw : refuse('open', 'the announced key is not the one that its commitment names');
}

/** Returns the topic of a key message and its data keys. keys is {localKey, keyId}, context that of the publishers. */
export function openKeyMessage(bytes, keys, context) {
  const { topic, list } = parseKeyMessage(bytes);
  const dataKeys = list.flatMap((announced, i) => {
    try {
      return [unwrapAnnounced(announced, topic, keys, context)];
    } catch (err) {
      if (i === 0 || err.kind !== 'open') throw err;
      return []; // an older key may be of a recipient that is no more
    }
  });
  return { topic, dataKeys };
}

/** openPayload of what is under a key that was announced: announced is what openKeyMessage returned. */
export function openAnnounced(payload, at, { topic, dataKeys }) {
  return openPayload(payload, at, (id) => {
    const key = dataKeys.find((own) => commitment(own).subarray(0, 16).equals(id)) ?? onlyKey(dataKeys[0])(id);
    return topic === at.topic ? key : refuse('open', 'the key was announced for another topic');
  });
}

// Section 11: the state of a window.

function parseHistory(fields, width) {
  const [name, instance] = [fields.field(1), fields.take(8)];
  const highest = fields.take(8).readBigUInt64BE();
  const [last, floor] = [fields.take(8), fields.take(8)].map((b) => b.readBigInt64BE());
  const ring = fields.take(width / 8);
  const has = (n) => {
    const bit = Number(n % BigInt(width));
    return (ring[(bit >> 6 << 3) + 7 - (bit >> 3 & 7)] >> (bit & 7) & 1) === 1;
  };
  const first = highest < BigInt(width) ? 0n : highest - BigInt(width) + 1n;
  const accepted = [];
  for (let n = first; n <= highest; n++) if (has(n)) accepted.push(n);
  return { name, instance, highest, last, floor, accepted };
}

/** Parses the state of a window: its width, its floor, and for each sender the numbers that were accepted. Nothing of it is authenticated. */
export function parseWindow(bytes) {
  if (bytes[0] !== 0xf8 || bytes[1] !== 2) refuse('format', 'not the state of a window');
  const fields = new Fields(bytes.subarray(2));
  const width = fields.uint(4);
  const floor = fields.take(8).readBigInt64BE();
  const count = fields.uint(4);
  if (width < 64 || width > 1 << 20 || width % 64 !== 0) refuse('format', 'impossible width of a window');
  const senders = [];
  const known = new Set();
  for (let i = 0; i < count; i++) {
    const sender = parseHistory(fields, width);
    const id = sender.instance.toString('hex') + sender.name.toString('hex');
    const nobody = sender.name.length === 0 && sender.instance.every((b) => b === 0);
    const bad = sender.floor > floor || sender.last <= sender.floor || sender.accepted.at(-1) !== sender.highest;
    if (nobody || known.has(id) || bad) refuse('format', 'an impossible sender in the state of a window');
    known.add(id);
    senders.push(sender);
  }
  if (fields.rest.length > 0) refuse('format', 'bytes after the last sender');
  return { width, floor, senders };
}
