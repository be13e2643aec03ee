// Who signed a Release file. The form of a clear-signed message is checked here, strictly, because everything hangs on one
// thing: that the text we read afterwards is the text that was signed, and nothing before or after it.
import * as fs from 'node:fs';
import type { PublicKey } from 'openpgp';
import { BootstrapError, reasonOf } from '../errors';

const BEGIN_MESSAGE = '-----BEGIN PGP SIGNED MESSAGE-----';
const BEGIN_SIGNATURE = '-----BEGIN PGP SIGNATURE-----';
const END_SIGNATURE = '-----END PGP SIGNATURE-----';

export interface ClearSigned {
  /** The signed text, dash escapes removed. */
  readonly text: string;
  /** The armored signature. */
  readonly signature: string;
}

/** Take a clear-signed message apart; anything that is not exactly one such message throws a SyntaxError. */
export function parseClearSigned(message: string): ClearSigned {
  const lines = message.replace(/\r\n/g, '\n').split('\n');
  while (lines.length > 0 && lines.at(-1) === '') lines.pop();
  if (lines[0]?.trimEnd() !== BEGIN_MESSAGE) throw new SyntaxError('it does not begin with a signed message');
  if (lines.at(-1)?.trimEnd() !== END_SIGNATURE) throw new SyntaxError('it does not end with a signature');
  let at = 1;
  for (; at < lines.length && lines[at] !== ''; at++) {
    // RFC 9580 allows nothing but Hash here; other headers have been used to smuggle text that looks signed.
    if (!/^Hash: [A-Za-z0-9, -]+$/.test(lines[at] as string))
      throw new SyntaxError('it has an unknown header above the signed text');
  }
  const begin = lines.findIndex((line, index) => index > at && line.trimEnd() === BEGIN_SIGNATURE);
  if (begin < 0) throw new SyntaxError('it has no signature');
  const text = lines.slice(at + 1, begin).map((line) => {
    if (line.startsWith('- ')) return line.slice(2);
    if (line.startsWith('-')) throw new SyntaxError('it has an unescaped dash in the signed text');
    return line;
  });
  const signature = lines.slice(begin);
  if (signature.slice(1, -1).some((line) => line.startsWith('-----')))
    throw new SyntaxError('it has more than one signature block');
  return { text: `${text.join('\n')}\n`, signature: `${signature.join('\n')}\n` };
}

/** Public keys, as OpenPGP bytes: what a keyring file holds or a Signed-By field embeds. */
export interface Keyring {
  /** Where it came from, for messages. */
  readonly name: string;
  readonly data: Uint8Array;
}

/** Read a keyring file, binary or armored. */
export function readKeyring(path: string): Keyring {
  try {
    return { name: path, data: fs.readFileSync(path) };
  } catch (error) {
    throw new BootstrapError('KEYRING_MISSING', `cannot read the keyring ${path}: ${reasonOf(error)}`, {
      path,
      hint: 'name the file that holds the archive’s public keys with --keyring=FILE',
      cause: error,
    });
  }
}

/** Verify a clear-signed Release and return the signed text. `what` names the file in messages. */
export async function verifyClearSigned(message: string, keyrings: readonly Keyring[], what: string): Promise<string> {
  let parts: ClearSigned;
  try {
    parts = parseClearSigned(message);
  } catch (error) {
    throw new BootstrapError('SIGNATURE_INVALID', `cannot trust ${what}: ${reasonOf(error)}`, {
      path: what,
      cause: error,
    });
  }
  const openpgp = loadOpenpgp();
  await judge(keyrings, what, async (keys) => {
    const parsed = await openpgp.readCleartextMessage({ cleartextMessage: message });
    // Two readers of one form must agree, or one of them was fooled.
    if (`${parsed.getText()}\n` !== parts.text.replace(/[ \t]+$/gm, ''))
      throw new Error('its signed text is ambiguous');
    return (await openpgp.verify({ message: parsed, verificationKeys: keys })).signatures;
  });
  return parts.text;
}

/** Verify a text against a signature kept in a file of its own, armored or binary. */
export async function verifyDetached(
  text: string,
  signature: string | Uint8Array,
  keyrings: readonly Keyring[],
  what: string,
): Promise<void> {
  const openpgp = loadOpenpgp();
  await judge(keyrings, what, async (keys) => {
    const parsed =
      typeof signature === 'string'
        ? await openpgp.readSignature({ armoredSignature: signature })
        : await openpgp.readSignature({ binarySignature: signature });
    const message = await openpgp.createMessage({ binary: Buffer.from(text, 'utf8') });
    return (await openpgp.verify({ message, signature: parsed, verificationKeys: keys, format: 'binary' })).signatures;
  });
}

type VerifyResult = Awaited<ReturnType<typeof import('openpgp')['verify']>>;

/** Loaded on first use, and by require: its ES module build reads import.meta, which a CommonJS bundle does not have. */
function loadOpenpgp(): typeof import('openpgp') {
  return require('openpgp') as typeof import('openpgp');
}

/**
 * One good signature by a key of the keyrings is enough, as signatures by further keys are normal while an archive changes
 * its keys; one that a known key did not make over this text is fatal.
 */
async function judge(
  keyrings: readonly Keyring[],
  what: string,
  verify: (keys: PublicKey[]) => Promise<VerifyResult['signatures']>,
): Promise<void> {
  const keys = (await Promise.all(keyrings.map((keyring) => parseKeys(keyring)))).flat();
  let verdicts: readonly string[];
  try {
    const signatures = await verify(keys);
    verdicts = await Promise.all(
      signatures.map((one) =>
        one.verified.then(
          () => 'good',
          (error: unknown) => `${one.keyID.toHex()} ${reasonOf(error)}`,
        ),
      ),
    );
  } catch (error) {
    throw new BootstrapError(
      'SIGNATURE_INVALID',
      `cannot trust ${what}: its signature cannot be read: ${reasonOf(error)}`,
      { path: what, cause: error },
    );
  }
  if (verdicts.some((verdict) => verdict.includes('digest did not match'))) {
    throw new BootstrapError('SIGNATURE_INVALID', `cannot trust ${what}: bad signature`, {
      path: what,
      hint: 'the file was changed after it was signed; try another mirror',
    });
  }
  if (verdicts.includes('good')) return;
  const names = keyrings.map((keyring) => keyring.name).join(', ');
  const unknown = verdicts
    .filter((verdict) => verdict.includes('Could not find signing key'))
    .map((verdict) => verdict.split(' ')[0]?.toUpperCase());
  const reason =
    verdicts.length === 0
      ? 'it carries no signature'
      : unknown.length === verdicts.length
        ? `signed by ${unknown.join(', ')}, and ${names} holds no such key`
        : (verdicts.find((verdict) => !verdict.includes('Could not find'))?.replace(/^(\S+) /, 'key $1: ') ?? '');
  throw new BootstrapError('SIGNATURE_INVALID', `cannot trust ${what}: ${reason}`, {
    path: what,
    hint: 'name the file that holds the archive’s public keys with --keyring=FILE',
  });
}

async function parseKeys(keyring: Keyring): Promise<PublicKey[]> {
  const openpgp = loadOpenpgp();
  const head = Buffer.from(keyring.data.subarray(0, 64)).toString('latin1');
  try {
    const keys = head.includes('-----BEGIN PGP')
      ? await openpgp.readKeys({ armoredKeys: Buffer.from(keyring.data).toString('utf8') })
      : await openpgp.readKeys({ binaryKeys: keyring.data });
    if (keys.length === 0) throw new Error('it holds no key');
    return keys;
  } catch (error) {
    const kbx = head.slice(8, 12) === 'KBXf';
    throw new BootstrapError(
      'KEYRING_MISSING',
      `cannot read the keyring ${keyring.name}: ${kbx ? 'it is a keybox, not an exported keyring' : 'it holds no OpenPGP keys'}`,
      {
        path: keyring.name,
        hint: kbx ? 'export the keys with gpg --export and name that file' : undefined,
        cause: error,
      },
    );
  }
}
