// Every command beside the launch itself. They may load what they like (clipanion, http, archives): the launch path never
// reads this bundle.

import { UsageError } from '@tsnspawn/core';
import { Builtins, Cli, type Definition } from 'clipanion';
import { BootCheckCommand } from './commands/boot-check';
import { BootstrapCommand } from './commands/bootstrap';
import { CompletionCommand } from './commands/completion';
import { DoctorCommand } from './commands/doctor';
import { ExportCommand } from './commands/export';
import { ManCommand } from './commands/man';
import { RemoveCommand } from './commands/remove';
import { describe, type VerbContext } from './commands/verb';
import { errorText } from './launch';
import { type Output, STDIO } from './stdio';
import { VERSION } from './version';

const COMMANDS = [
  BootstrapCommand,
  ExportCommand,
  RemoveCommand,
  BootCheckCommand,
  DoctorCommand,
  CompletionCommand,
  ManCommand,
];

/** clipanion calls the value of an option `#0` in its help. */
class Verbs extends Cli<VerbContext> {
  override usage(...parameters: Parameters<Cli<VerbContext>['usage']>): string {
    return super.usage(...parameters).replaceAll(' #0   ', ' VALUE');
  }
}

/** Runs a verb; `argv` starts with its name. Resolves to the exit status; what goes wrong is told on standard error. */
export async function main(argv: readonly string[], output: Output = STDIO): Promise<number> {
  const cli = new Verbs({
    binaryLabel: 'tsnspawn',
    binaryName: 'tsnspawn',
    binaryVersion: VERSION,
    enableColors: false,
  });
  cli.register(Builtins.HelpCommand);
  for (const command of COMMANDS) cli.register(command);
  const verbs: VerbContext['verbs'] = () => {
    const definitions = new Map(cli.definitions().map((definition) => [definition.path, definition]));
    return COMMANDS.map((command) =>
      describe(command, definitions.get(`tsnspawn ${command.paths.flat().join(' ')}`) as Definition),
    );
  };
  const context: VerbContext = { ...Cli.defaultContext, verbs };
  try {
    const command = parse(cli, argv, context);
    return await cli.run(command, context);
  } catch (error) {
    output.err(errorText(error));
    return 1;
  }
}

/** clipanion explains a wrong command line over several lines with its whole usage; here it is one line and a hint. */
function parse(cli: Verbs, argv: readonly string[], context: VerbContext): ReturnType<Verbs['process']> {
  try {
    return cli.process([...argv], context);
  } catch (error) {
    throw new UsageError(`${argv[0]}: ${complaint(error as Error)}`, {
      hint: `tsnspawn ${argv[0]} --help shows how it is used`,
    });
  }
}

function complaint(error: Error): string {
  const unknown = /Unsupported option name \("([^"]+)"\)/.exec(error.message)?.[1];
  if (unknown !== undefined) return `unknown option ${unknown}`;
  if (/Not enough positional arguments/.test(error.message)) return 'arguments are missing';
  if (/Extraneous positional argument|Command not found/.test(error.message)) return 'too many arguments';
  return (error.message.split('\n').find((line) => line.trim() !== '' && !line.startsWith('$')) ?? 'wrong arguments')
    .replace(/\.$/, '')
    .toLowerCase();
}
