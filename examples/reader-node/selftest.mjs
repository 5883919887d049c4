// Checks open.mjs against published answers. "node selftest.mjs [FLOE_DIR]": FLOE_DIR holds the public vectors of FLOE,
// files named NAME_ct.txt and NAME_pt.txt in hex.

import assert from 'node:assert/strict';
import { createCipheriv, createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ReadError, Source, bind, canonical, collect, commitment, openRecord, openStream, openStreamAt, xaesKey } from './open.mjs';

const hex = (text) => Buffer.from(text, 'hex');
const repeated = (byte) => Buffer.alloc(32, byte);
const refused = (kind) => (err) => err instanceof ReadError && err.kind === kind;

// Commitment, FORMAT.md section 1.
assert.equal(commitment(repeated(1)).toString('hex'), 'a2410c233b5e9a79c7a257a6e82dd3ff83426edf0f3a7178c07f39277322727b');
assert.equal(commitment(repeated(3)).toString('hex'), '3ee99960482dff8d27d724de0fd12280578d3683aac1f6172e9ae5a49b66e991');

// Bind, section 1.
assert.equal(bind(Buffer.from('users'), Buffer.from('7')).toString('hex'), '0000000575736572730000000137');
assert.equal(bind().length, 0);

// XAES-256-GCM, section 2.
const nonce = Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWX');
for (const [byte, aad, sealed] of [
  [1, '', 'ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271'],
  [3, 'c2sp.org/XAES-256-GCM', '986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d'],
]) {
  const record = Buffer.concat([nonce, hex(sealed)]);
  assert.equal(openRecord(repeated(byte), Buffer.from(aad), record).toString(), 'XAES-256-GCM');
  for (let bit = 0; bit < 8 * record.length; bit++) {
    const changed = Buffer.from(record);
    changed[bit >> 3] ^= 1 << (bit & 7);
    assert.throws(() => openRecord(repeated(byte), Buffer.from(aad), changed), refused('open'));
  }
}

// The accumulated answer: 10 000 random records, sealed here and opened by the reader.
const random = createHash('shake128', { outputLength: 10_000 * (32 + 24 + 2 + 2 * 255) }).digest();
const accumulated = createHash('shake128', { outputLength: 32 });
let at = 0;
const next = (n) => random.subarray(at, (at += n));
for (let i = 0; i < 10_000; i++) {
  const [key, n] = [next(32), next(24)];
  const plaintext = next(next(1)[0]);
  const aad = next(next(1)[0]);
  const gcm = createCipheriv('aes-256-gcm', xaesKey(key, n), n.subarray(12)).setAAD(aad);
  const sealed = Buffer.concat([gcm.update(plaintext), gcm.final(), gcm.getAuthTag()]);
  assert.deepEqual(openRecord(key, aad, Buffer.concat([n, sealed])), plaintext);
  accumulated.update(sealed);
}
assert.equal(accumulated.digest('hex'), 'e6b9edf2df6cec60c8cbd864e2211b597fb69a529160cd040d56c0c210081939');

// canonical(ec), section 5.
assert.equal(canonical({ b: '', a: '1' }).toString('hex'), '00020001610001310001620000');

// FLOE, section 3: one of the public vectors, and all that are in FLOE_DIR.
const emptyLast = hex([
  '00000000002800000020e4fd1738289ec2a831a32ff254bc176033f565de7f15928355b3a8bb4694a67b3e5dbb9e3bb6608743b2451f6f',
  'd129a31d83b455a67eaf11be3b882dd8d3b10fffffffff1fdfeebb9f3d2c4af5f556e481d8c73c8ad1286a4a2cf73580f5eef7cd20922b',
  '5c430ddbffffffff777bc2da2eb1d497f77657cc4eb211fa9c5280b1f0cab8d6c9c34a81c37140079c3d5cb1000000201832f5ffdd0e85',
  '29483ee8032c2fcd25779ddf459dcdd57fb3ba8d80',
].join(''));
const cases = [['two full segments and an empty one', emptyLast, hex('b83fb512012054a0195ff30074ebd4a8')]];
const dir = process.argv[2];
for (const file of (dir ? readdirSync(dir) : []).filter((name) => name.endsWith('_ct.txt'))) {
  cases.push([file, ...[file, file.replace('_ct', '_pt')].map((name) => hex(readFileSync(join(dir, name), 'latin1').trim()))]);
}
assert.ok(!dir || cases.length > 1, 'no FLOE vectors found');
for (const [name, sealed, plaintext] of cases) {
  const options = { rotationBits: name.includes('rotation') ? 2 : 20 };
  const read = (bytes, chunk = bytes.length, key = repeated(0)) => {
    const chunks = Array.from({ length: Math.ceil(bytes.length / chunk) }, (_, i) => bytes.subarray(i * chunk, (i + 1) * chunk));
    return collect(openStream(new Source(chunks), key, Buffer.from('This is AAD'), options));
  };
  for (const chunk of [sealed.length, 1, 7, 74]) assert.deepEqual(await read(sealed, chunk), plaintext, name);
  const readAt = (offset, length) => openStreamAt(sealed, repeated(0), Buffer.from('This is AAD'), offset, length, options);
  for (const [offset, length] of [[0, plaintext.length], [1, 7], [7, 9], [plaintext.length - 1, 5], [plaintext.length, 1]]) {
    assert.deepEqual(readAt(offset, length), plaintext.subarray(offset, offset + length), name);
  }
  for (let n = 0; n < sealed.length; n += n < 500 ? 1 : 97) await assert.rejects(read(sealed.subarray(0, n)), refused('truncated'));
  await assert.rejects(read(Buffer.concat([sealed, Buffer.alloc(1)])), refused('format'));
  await assert.rejects(read(sealed, sealed.length, repeated(1)), refused('open'));
}
console.log(`selftest passed, ${cases.length} public vectors of FLOE`);
