#!/usr/bin/env node
// A second reader of Holdfast's formats, written from envelope/FORMAT.md alone. It needs no packages.

import { once } from 'node:events';
import { realpathSync } from 'node:fs';
import { lstat, open, readFile, rename, rm } from 'node:fs/promises';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { Source, collect, openRecord, openStream } from './bare.mjs';
import { bind, onlyKey, openManaged, storedKeys } from './keyring.mjs';
import { openMessage, readHeader } from './messages.mjs';
import { hex, runVectors } from './vectors.mjs';

export * from './bare.mjs';
export * from './columns.mjs';
export * from './keyring.mjs';
export * from './messages.mjs';
export * from './topics.mjs';

// The command line. README.md beside this file describes it.
const options = {
  record: ['key', 'key-file', 'aad', 'aad-hex'],
  stream: ['key', 'key-file', 'aad', 'aad-hex', 'max-segment'],
  message: ['data-key', 'data-key-file', 'local-key', 'local-key-file', 'key-id', 'context', 'max-segment'],
  managed: [
    'data-key', 'data-key-file', 'local-key', 'local-key-file', 'key-id', 'rows', 'deployment', 'tenant', 'subject', 'part',
    'max-segment',
  ],
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

async function findKey(keys, { rows, deployment, tenant, subject }) {
  if (keys.dataKey) return onlyKey(keys.dataKey);
  if ([rows, deployment, tenant].includes(undefined)) throw new TypeError('give --rows, --deployment and --tenant');
  return storedKeys({ rows: JSON.parse(await readFile(rows, 'utf8')), deployment, tenant, subject, ...keys });
}

async function main([command, ...args]) {
  if (command === 'vectors') return runVectors(args);
  if (!Object.hasOwn(options, command)) throw new TypeError('commands: record, stream, message, managed, inspect, vectors');
  const known = Object.fromEntries(options[command].map((name) => [name, { type: 'string', multiple: name === 'part' }]));
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
    managed: async function* () {
      const parts = (values.part ?? []).map((part) => Buffer.from(part));
      yield* openManaged(source, bind(...parts), await findKey(keys, values), limits);
    },
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
