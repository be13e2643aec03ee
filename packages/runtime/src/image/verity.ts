// Where the root hash of an image is written, and its signature: on the command line, beside the image, in an attribute of its
// file, or in a partition (systemd-nspawn(1), --root-hash=).

import { readFileSync } from 'node:fs';
import { type ContainerSpec, ImageDefect, type ImageReader } from '@tsnspawn/core';
import { addon } from '@tsnspawn/native';

/** What the integrity of a part of an image can be checked with. */
export interface VerityMaterial {
  readonly data: 'root' | 'usr';
  /** root hash, hexadecimal, lower case */
  readonly hash: string;
  /** PKCS#7, DER */
  readonly signature?: Buffer | undefined;
  /** a file with the hash tree; without one it is in a partition */
  readonly tree?: string;
  /** it was asked for, and did not just lie there */
  readonly asked: boolean;
}

const MOST_BYTES = 64 * 1024;

/**
 * What is known without a look into the image.
 *
 * @param path of the image, links resolved
 * @param fd of the image
 */
export function findVerity(spec: ContainerSpec, path: string, fd: number): VerityMaterial | undefined {
  const base = path.replace(/\.raw$/, '');
  const found = spec.rootHash === undefined ? foundBeside(base, fd) : { data: 'root' as const, hash: spec.rootHash };
  if (found === undefined) {
    if (spec.rootHashSignature !== undefined || spec.verityData !== undefined)
      throw new ImageDefect(
        'a root hash is needed to check it',
        '--root-hash=HASH, or a file IMAGE.roothash beside it',
      );
    return undefined;
  }
  const signature = signatureFrom(spec.rootHashSignature) ?? readBeside(`${base}.${found.data}hash.p7s`);
  const tree = spec.verityData ?? existing(`${base}.verity`);
  const asked = spec.rootHash !== undefined;
  return {
    ...found,
    asked,
    ...(signature === undefined ? {} : { signature }),
    ...(tree === undefined ? {} : { tree }),
  };
}

function foundBeside(base: string, fd: number): Pick<VerityMaterial, 'data' | 'hash'> | undefined {
  for (const data of ['root', 'usr'] as const) {
    const name = `${data}hash`;
    const text =
      addon().extendedAttribute(fd, `user.verity.${name}`) ?? readBeside(`${base}.${name}`)?.toString('latin1');
    if (text !== undefined) return { data, hash: hashFrom(text, name) };
  }
  return undefined;
}

function hashFrom(text: string, name: string): string {
  const hash = text.trim().toLowerCase();
  if (/^(?:[0-9a-f]{2}){16,}$/.test(hash)) return hash;
  throw new ImageDefect(`what is written down as its ${name} is no hash of 128 bits or more`);
}

function signatureFrom(option: string | undefined): Buffer | undefined {
  if (option === undefined) return undefined;
  if (option.startsWith('base64:')) return Buffer.from(option.slice('base64:'.length), 'base64');
  const signature = readBeside(option);
  if (signature === undefined) throw new ImageDefect(`the signature of its root hash cannot be read: ${option}`);
  return signature;
}

/** A file that may be missing. */
function readBeside(path: string): Buffer | undefined {
  try {
    return readFileSync(path).subarray(0, MOST_BYTES);
  } catch {
    return undefined;
  }
}

function existing(path: string): string | undefined {
  return readBeside(path) === undefined ? undefined : path;
}

/**
 * What a signature partition says: JSON, padded with zeros (Discoverable Partitions Specification).
 * @throws ImageDefect
 */
export function verityFromPartition(data: 'root' | 'usr', partition: ImageReader): VerityMaterial {
  const text = partition.read(0, MOST_BYTES).toString('utf8').replace(/\0.*$/s, '');
  try {
    const { rootHash, signature } = JSON.parse(text) as { rootHash?: unknown; signature?: unknown };
    if (typeof rootHash === 'string' && typeof signature === 'string')
      return {
        data,
        hash: hashFrom(rootHash, `${data}hash`),
        signature: Buffer.from(signature, 'base64'),
        asked: false,
      };
  } catch (error) {
    if (error instanceof ImageDefect) throw error;
  }
  throw new ImageDefect(`its ${data}-verity-sig partition holds no signature`);
}
