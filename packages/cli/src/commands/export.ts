// tsnspawn export: a tree as a tar archive.

import { formatError, UsageError } from '@tsnspawn/core';
import { BootstrapError, COMPRESSIONS, type Compression, exportTree } from '@tsnspawn/rootfs';
import { Command, Option } from 'clipanion';
import { runAsOwnerOf } from '../owner';
import { STDIO } from '../stdio';
import { interruptible } from './interrupt';
import { Verb } from './verb';

export class ExportCommand extends Verb {
  static override paths = [['export']];

  static override usage = Command.Usage({
    description: 'write a tree to a tar archive',
    details: `
      Writes the tree DIR to FILE, or to standard output, as a tar archive in the pax format: with owners, modes, hard links,
      devices, access control lists and extended attributes, names in order. Owners are those that the tree itself sees, also of a
      tree that lies in a range of ids or remembers its owners.

      FILE is compressed as its name says, .tar.gz, .tar.xz or .tar.zst, and appears when it is complete. What is mounted below DIR
      stays out, and so do sockets. A machine that runs in the tree must have been started with --read-only.
    `,
    examples: [
      ['A compressed archive', '$0 export ./debian debian.tar.zst'],
      [
        'To another machine',
        '$0 export ./debian --compress=zstd | ssh HOST tar --zstd --xattrs --acls -xpC /srv/debian',
      ],
    ],
  });

  static override readonly operands = [{ from: 'directories' }, { from: 'files' }] as const;
  static override readonly values = { '--compress': { from: 'words', words: COMPRESSIONS } } as const;

  directory = Option.String({ name: 'DIR' });
  file = Option.String({ name: 'FILE', required: false });

  compress = Option.String('--compress', { description: 'zstd, xz, gzip or none; as the name of FILE says' });

  protected override async run(): Promise<number> {
    const compression = this.compress as Compression | undefined;
    if (compression !== undefined && !COMPRESSIONS.includes(compression))
      throw new UsageError(`not a way to compress: ${this.compress}: not one of ${COMPRESSIONS.join(', ')}`, {
        option: '--compress',
      });
    const status = runAsOwnerOf(this.directory);
    if (status !== undefined) return status;
    return interruptible(
      (signal) => new BootstrapError('CANCELLED', `cannot export ${this.directory}: interrupted by ${signal}`),
      async (signal) => {
        const file = this.file === '-' ? undefined : this.file;
        const note = (line: string): void => STDIO.err(`tsnspawn: ${line}\n`);
        await exportTree({ directory: this.directory, file, compression, note, signal });
        return 0;
      },
      (error) => {
        STDIO.err(formatError(error));
        return 1;
      },
    );
  }
}
