// tsnspawn remove: a tree and what lies beside it, taken away.

import { formatError } from '@tsnspawn/core';
import { BootstrapError, removeTree } from '@tsnspawn/rootfs';
import { Command, Option } from 'clipanion';
import { runAsOwnerOf } from '../owner';
import { STDIO } from '../stdio';
import { Verb } from './verb';

export class RemoveCommand extends Verb {
  static override paths = [['remove']];

  static override usage = Command.Usage({
    description: 'remove a tree',
    details: `
      Removes the tree DIR with all its files, also those that belong to subordinate ids of the caller, which rm cannot remove, and
      with what the launcher has put beside it.

      What is no tree, what a machine runs in, and what something is mounted in, is left alone as it is. No link is followed.
    `,
    examples: [['Of an ordinary user', '$0 remove ./debian']],
  });

  static override readonly operands = [{ from: 'directories' }] as const;

  directory = Option.String({ name: 'DIR' });
  force = Option.Boolean('--force', false, { description: 'also a directory that does not look like a tree' });

  protected override async run(): Promise<number> {
    const status = runAsOwnerOf(this.directory);
    if (status !== undefined) return status;
    try {
      removeTree({ directory: this.directory, force: this.force });
      return 0;
    } catch (error) {
      if (!(error instanceof BootstrapError)) throw error;
      STDIO.err(formatError(error));
      return 1;
    }
  }
}
