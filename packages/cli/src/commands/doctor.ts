// tsnspawn doctor: what this host lets the caller do, what that costs, and what would mend it.

import { diagnose } from '@tsnspawn/runtime';
import { Command, Option } from 'clipanion';
import { diagnosisAsJson, renderDiagnosis } from '../render/diagnosis';
import { STDIO } from '../stdio';
import { Verb } from './verb';

export class DoctorCommand extends Verb {
  static override paths = [['doctor']];
  static override usage = Command.Usage({
    description: 'find out what this host lets you do',
    details: `
      Tries everything that a launch may need, and says for each whether it works, what is lost without it, and the command that
      would mend it. Nothing is concluded from the version of the kernel; nothing that was tried stays. The last line says how a
      launch would run now: as root, as a user with so many ids, as a user with one id, or not at all and why.

      With DIR it also tells whose the tree in it is, and whether the caller can run it. What can lie on a file system (layers,
      remembered owners) is tried in DIR, else in the working directory.

      The status is 0 when a launch is possible, and 1 otherwise.
    `,
    examples: [
      ['What can I do here?', '$0 doctor'],
      ['And with this tree?', '$0 doctor ./debian-tree'],
      ['For a program', '$0 doctor --json'],
    ],
  });
  static override readonly operands = [{ from: 'directories' }] as const;

  directory = Option.String({ name: 'DIR', required: false });
  json = Option.Boolean('--json', false, { description: 'print the answers as JSON' });

  protected override async run(): Promise<number> {
    const diagnosis = await diagnose(this.directory);
    STDIO.out(this.json ? diagnosisAsJson(diagnosis) : renderDiagnosis(diagnosis, STDIO.columns || undefined));
    return diagnosis.mode === 'none' ? 1 : 0;
  }
}
