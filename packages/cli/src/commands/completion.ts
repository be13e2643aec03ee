// tsnspawn completion: a script that teaches a shell the options of the launch and of the verbs.

import { UsageError } from '@tsnspawn/core';
import { Command, Option } from 'clipanion';
import { bashCompletion } from '../completion/bash';
import { fishCompletion } from '../completion/fish';
import { completedCommand } from '../completion/model';
import { zshCompletion } from '../completion/zsh';
import { STDIO } from '../stdio';
import { Verb } from './verb';

export const SHELLS = { bash: bashCompletion, zsh: zshCompletion, fish: fishCompletion } as const;

export class CompletionCommand extends Verb {
  static override paths = [['completion']];
  static override usage = Command.Usage({
    description: 'print a completion script for a shell',
    details: `
      Prints a script for SHELL: bash, zsh or fish. It completes options, their values, names of machines, and for a payload the
      programs and paths of the tree that -D names.
    `,
    examples: [
      ['In ~/.bashrc', 'source <($0 completion bash)'],
      ['For zsh, in a directory of $fpath', '$0 completion zsh > /usr/local/share/zsh/site-functions/_tsnspawn'],
      ['For fish', '$0 completion fish > ~/.config/fish/completions/tsnspawn.fish'],
    ],
  });
  static override readonly operands = [{ from: 'words', words: Object.keys(SHELLS) }] as const;

  shell = Option.String({ name: 'SHELL' });

  protected override async run(): Promise<number> {
    if (!Object.hasOwn(SHELLS, this.shell)) {
      throw new UsageError(
        `no completion for ${this.shell || '(empty)'}: not one of ${Object.keys(SHELLS).join(', ')}`,
      );
    }
    const script = SHELLS[this.shell as keyof typeof SHELLS];
    STDIO.out(script(completedCommand(this.context.verbs().map(({ line }) => line))));
    return 0;
  }
}
