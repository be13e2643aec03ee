// A whole archive with keys of its own in a temporary directory, small enough to be made anew for each promise. What is to be
// wrong with it is changed after it was signed, or said in the options.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import * as openpgp from 'openpgp';
import { controlFields, type DebSpec, deb, fieldLines, sha256 } from './archives';

export interface RepositoryOptions {
  readonly suite?: string;
  readonly codename?: string;
  readonly date?: Date;
  readonly validUntil?: Date;
  /** the signature in a file of its own, as old archives have it */
  readonly detached?: boolean;
  /** no signature at all */
  readonly unsigned?: boolean;
}

export interface Keys {
  readonly privateKey: openpgp.PrivateKey;
  readonly publicKey: Uint8Array;
}

/** Keys that sign archives in tests. */
export async function makeKeys(): Promise<Keys> {
  const { privateKey, publicKey } = await openpgp.generateKey({
    type: 'ecc',
    userIDs: [{ name: 'archive' }],
    format: 'object',
    date: new Date(Date.now() - 1000 * 86400_000),
  });
  return { privateKey, publicKey: publicKey.write() as Uint8Array };
}

export class TestRepository {
  readonly root = temporaryDirectory();
  readonly keyring = join(this.root, 'keyring.gpg');
  readonly #keys: Keys;

  constructor(keys: Keys) {
    this.#keys = keys;
    this.write('keyring.gpg', Buffer.from(keys.publicKey));
  }

  path(name: string): string {
    return join(this.root, name);
  }

  write(name: string, content: string | Buffer): void {
    mkdirSync(dirname(this.path(name)), { recursive: true });
    writeFileSync(this.path(name), content);
  }

  /** Where a package's file lies. */
  static debName(spec: DebSpec): string {
    return `pool/${spec.name}.deb`;
  }

  /** Put packages into the archive, and index and sign them. */
  async publish(specs: readonly DebSpec[], options: RepositoryOptions = {}): Promise<void> {
    const entries = specs.map((spec) => {
      const file = deb(spec);
      this.write(TestRepository.debName(spec), file);
      return fieldLines({
        ...controlFields(spec),
        Filename: TestRepository.debName(spec),
        Size: String(file.length),
        SHA256: sha256(file),
      });
    });
    await this.publishIndex(entries.join('\n'), options);
  }

  /** Sign an index as it is. */
  async publishIndex(index: string, options: RepositoryOptions = {}): Promise<void> {
    const packed = gzipSync(index);
    const base = 'dists/test';
    this.write(`${base}/main/binary-amd64/Packages.gz`, packed);
    const release = [
      'Origin: Test',
      `Suite: ${options.suite ?? 'testing'}`,
      `Codename: ${options.codename ?? 'test'}`,
      `Date: ${(options.date ?? new Date()).toUTCString()}`,
      ...(options.validUntil === undefined ? [] : [`Valid-Until: ${options.validUntil.toUTCString()}`]),
      'Architectures: amd64',
      'Components: main',
      'SHA256:',
      ` ${sha256(index)} ${Buffer.byteLength(index)} main/binary-amd64/Packages`,
      ` ${sha256(packed)} ${packed.length} main/binary-amd64/Packages.gz`,
      '',
    ].join('\n');
    const signingKeys = this.#keys.privateKey;
    if (options.unsigned === true) {
      this.write(`${base}/InRelease`, release);
    } else if (options.detached === true) {
      this.write(`${base}/Release`, release);
      const message = await openpgp.createMessage({ binary: Buffer.from(release) });
      this.write(`${base}/Release.gpg`, await openpgp.sign({ message, signingKeys, detached: true }));
    } else {
      this.write(
        `${base}/InRelease`,
        await openpgp.sign({ message: await openpgp.createCleartextMessage({ text: release }), signingKeys }),
      );
    }
  }
}

const made: string[] = [];
process.on('exit', () => {
  for (const directory of made) rmSync(directory, { recursive: true, force: true });
});

/** A directory that goes with the test's process. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'tsnspawn-rootfs-'));
  made.push(directory);
  return directory;
}

/** A package that passes for the static busybox, so that a whole bootstrap needs neither root nor a guest. */
export const BUSYBOX: DebSpec = {
  name: 'busybox-static',
  files: [
    { name: './bin/', type: '5' },
    { name: './bin/busybox', content: 'program\0[\0[[\0cat\0init\0poweroff\0sh\0\0', mode: 0o755 },
  ],
};
