// Test vectors, FORMAT.md section 9.

import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { ReadError, Source, collect, commitment, derive, openRecord, openStream, uint } from './bare.mjs';
import {
  bind, onlyKey, openManagedRecord, openManagedStream, openManagedStreamAt, storedKeys, storedKeysOfAll, subjectRef,
} from './keyring.mjs';
import { algorithms, hashPassword, normalize, openColumn, openPassword, openSealedText, token } from './columns.mjs';
import { openLocal, openMessage } from './messages.mjs';
import { openAnnounced, openKeyMessage, openPayload, parseWindow } from './topics.mjs';

export function hex(text = '', bytes = text.length / 2) {
  if (text.length !== 2 * bytes || !/^[0-9a-f]*$/i.test(text)) throw new TypeError('not hex, or of the wrong length');
  return Buffer.from(text, 'hex');
}

const keysOf = (v) => (v.dataKey ? { dataKey: hex(v.dataKey, 32) } : { localKey: hex(v.localKey, 32), keyId: v.keyID });

const findKey = (v) => (v.dataKey ? onlyKey(hex(v.dataKey, 32)) : storedKeys({ ...v, ...keysOf(v) }));
const binding = (v) => bind(...(v.parts ?? []).map((part) => hex(part)));

function runManagedStream(v) {
  if (v.range) return openManagedStreamAt(hex(v.in), binding(v), findKey(v), ...v.range);
  return collect(openManagedStream(new Source([hex(v.in)]), binding(v), findKey(v)));
}

function runColumn(v) {
  const { type, body } = openColumn(hex(v.in), binding(v), findKey(v));
  return Buffer.concat([Buffer.from([type]), body]);
}

function u64(n) {
  const out = Buffer.alloc(8);
  out.writeBigUInt64BE(BigInt.asUintN(64, n));
  return out;
}

const announcedIn = (v, bytes) => openKeyMessage(bytes, keysOf(v), v.context ?? {});

function runPayload(v) {
  const at = {
    topic: v.topic, key: v.recordKey === undefined ? undefined : hex(v.recordKey), bound: v.bound,
    headers: v.headers?.map(([name, value]) => [name, hex(value)]),
  };
  const find = () => (v.dataKey ? onlyKey(hex(v.dataKey, 32)) : storedKeysOfAll({ ...v, ...keysOf(v) }));
  const { key, stamp, value } = v.announced ? openAnnounced(hex(v.in), at, announcedIn(v, hex(v.announced))) : openPayload(hex(v.in), at, find());
  return Buffer.concat([
    uint(1, (key ? 1 : 0) | (stamp ? 2 : 0)),
    ...(key ? [uint(2, key.length), key] : []),
    ...(stamp ? [uint(1, stamp.name.length), stamp.name, stamp.instance, u64(stamp.sequence), u64(stamp.time)] : []),
    value,
  ]);
}

function runWindow(v) {
  const { senders } = parseWindow(hex(v.in));
  return Buffer.concat(senders.flatMap(({ name, instance, accepted }) => [
    uint(1, name.length), name, instance, uint(4, accepted.length), ...accepted.map(u64),
  ]));
}

const runHash = (v) => hashPassword(hex(v.in).toString('latin1'), hex(v.key));

const runners = {
  bind: (v) => binding(v),
  'subject ref': (v) => subjectRef(hex(v.key, 32), hex(v.in)),
  'managed record': (v) => openManagedRecord(hex(v.in), binding(v), findKey(v)),
  'managed stream': runManagedStream,
  commitment: (v) => commitment(hex(v.key, 32)),
  derive: (v) => derive(hex(v.key, 32), v.label, ...(v.info ?? []).map((part) => hex(part))),
  record: (v) => openRecord(hex(v.key, 32), hex(v.aad), hex(v.in)),
  stream: (v) => collect(openStream(new Source([hex(v.in)]), hex(v.key, 32), hex(v.aad))),
  message: (v) => collect(openMessage(new Source([hex(v.in)]), keysOf(v), v.context ?? {})),
  local: (v) => openLocal(hex(v.localKey, 32), v.context ?? {}, hex(v.in)),
  column: runColumn,
  token: (v) => token(hex(v.key, 32), v.parts.map((part) => hex(part)), hex(v.in), v.range[1]),
  normalize: (v) => Buffer.from(normalize(v.normalizer, v.value)),
  'sealed text': (v) => openSealedText(hex(v.in).toString(), binding(v), findKey(v)),
  password: (v) => Buffer.from(openPassword(hex(v.in), binding(v), findKey(v)), 'latin1'),
  payload: runPayload,
  'key message': (v) => Buffer.concat(announcedIn(v, hex(v.in)).dataKeys),
  window: runWindow,
  ...Object.fromEntries(algorithms.map((algorithm) => [algorithm, runHash])),
};

// A value and its normal form stand there as text.
function asVector(v) {
  if (v.normalizer === undefined) return v;
  return { ...v, kind: 'normalize', expect: 'ok', out: Buffer.from(v.form).toString('hex') };
}

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

export async function runVectors(args) {
  const { values, positionals: files } = parseArgs({
    args, options: { skip: { type: 'string', multiple: true } }, allowPositionals: true,
  });
  const skipped = new Map((values.skip ?? []).map((kind) => [kind, 0]));
  for (const kind of skipped.keys()) {
    if (Object.hasOwn(runners, kind)) throw new TypeError('--skip is for a kind that this reader does not know');
  }
  const count = { passed: 0, failed: 0 };
  for (const file of files) {
    const { format, vectors } = JSON.parse(await readFile(file, 'utf8'));
    if (format !== 'holdfast vectors v1') throw new TypeError(`${file}: not a file of vectors`);
    for (const v of vectors.map(asVector)) {
      if (skipped.has(v.kind)) {
        skipped.set(v.kind, skipped.get(v.kind) + 1);
        continue;
      }
      const problem = await checkVector(v);
      if (problem) console.log(`FAIL ${file}: ${v.name}: ${problem}`);
      count[problem ? 'failed' : 'passed']++;
    }
  }
  const rest = Array.from(skipped, ([kind, n]) => `, ${n} of kind ${kind} skipped`).join('');
  console.log(`${count.passed} passed, ${count.failed} failed${rest}`);
  if (count.failed > 0 || count.passed === 0) process.exitCode = 1;
}

