// Whom a Release file is believed.

import { parseClearSigned, verifyClearSigned, verifyDetached } from '@tsnspawn/rootfs';
import * as openpgp from 'openpgp';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Keys, makeKeys } from './support/repository';

let keys: Keys;
let strangers: Keys;
let signed: string;
const TEXT = 'Suite: test\n- dashed\nlast';
const ring = (of: Keys) => [{ name: 'ring', data: of.publicKey }];

test.before(async () => {
  [keys, strangers] = await Promise.all([makeKeys(), makeKeys()]);
  signed = await openpgp.sign({
    message: await openpgp.createCleartextMessage({ text: TEXT }),
    signingKeys: keys.privateKey,
  });
});

const fails = async (promise: Promise<unknown>, reason: string): Promise<void> => {
  const error = await promise.then(
    () => undefined,
    (failure: Error) => failure,
  );
  assert.is(error?.name, 'BootstrapError', `expected: ${reason}`);
  assert.match(error?.message ?? '', reason);
};

test('a good signature gives back the signed text', async () => {
  assert.is(await verifyClearSigned(signed, ring(keys), 'InRelease'), `${TEXT}\n`);
});

test('one good signature among those of unknown keys is enough', async () => {
  const both = await openpgp.sign({
    message: await openpgp.createCleartextMessage({ text: TEXT }),
    signingKeys: [strangers.privateKey, keys.privateKey],
  });
  assert.is(await verifyClearSigned(both, ring(keys), 'InRelease'), `${TEXT}\n`);
});

test('a changed text is a bad signature', async () => {
  await fails(
    verifyClearSigned(signed.replace('test', 'tess'), ring(keys), 'InRelease'),
    'cannot trust InRelease: bad signature',
  );
});

test('a signature by a key that is not in the keyring names the key', async () => {
  await fails(
    verifyClearSigned(signed, ring(strangers), 'InRelease'),
    `signed by ${keys.privateKey.getKeyID().toHex().toUpperCase()}, and ring holds no such key`,
  );
});

test('a text without a signature is refused', async () => {
  await fails(verifyClearSigned(TEXT, ring(keys), 'InRelease'), 'it does not begin with a signed message');
});

test('text before, after or beside the signed text is refused', async () => {
  await fails(verifyClearSigned(`Suite: other\n${signed}`, ring(keys), 'r'), 'does not begin');
  await fails(verifyClearSigned(`${signed}Suite: other\n`, ring(keys), 'r'), 'does not end');
  await fails(verifyClearSigned(signed.replace(/^Hash: .*$/m, 'Suite: other'), ring(keys), 'r'), 'unknown header');
  await fails(verifyClearSigned(signed + signed, ring(keys), 'r'), 'cannot trust');
  await fails(verifyClearSigned(signed.replace('- - dashed', '-dashed'), ring(keys), 'r'), 'unescaped dash');
});

test('dash escapes are removed, and nothing else', () => {
  assert.is(parseClearSigned(signed).text, `${TEXT}\n`);
});

test('a signature of its own is verified in both of its forms', async () => {
  const message = await openpgp.createMessage({ binary: Buffer.from(TEXT) });
  const armored = await openpgp.sign({ message, signingKeys: keys.privateKey, detached: true });
  const binary = await openpgp.sign({ message, signingKeys: keys.privateKey, detached: true, format: 'binary' });
  await verifyDetached(TEXT, armored, ring(keys), 'Release');
  await verifyDetached(TEXT, binary as Uint8Array, ring(keys), 'Release');
  await fails(verifyDetached(`${TEXT} `, armored, ring(keys), 'Release'), 'bad signature');
  await fails(verifyDetached(TEXT, 'nonsense', ring(keys), 'Release'), 'its signature cannot be read');
});

test('a keyring may be armored; one that holds no keys is named', async () => {
  const armored = keys.privateKey.toPublic().armor();
  await verifyClearSigned(signed, [{ name: 'ring.asc', data: Buffer.from(armored) }], 'InRelease');
  await fails(
    verifyClearSigned(signed, [{ name: 'empty', data: Buffer.from('root:x:0:0') }], 'InRelease'),
    'cannot read the keyring empty: it holds no OpenPGP keys',
  );
});

test.run();
