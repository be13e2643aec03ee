// Every command beside the launch itself. They may load what they like (clipanion, http, archives): the launch path never
// reads this bundle.

import { UsageError } from '@tsnspawn/core';
import { type BaseContext, Builtins, Cli } from 'clipanion';
import { BootCheckCommand } from './commands/boot-check';
import { BootstrapCommand } from './commands/bootstrap';
import { errorText } from './launch';
import { type Output, STDIO } from './stdio';
import { VERSION } from './version';

const COMMANDS = [BootstrapCommand, BootCheckCommand];

/** clipanion calls the value of an option `#0` in its help. */
class Verbs extends Cli {
  override usage(...parameters: Parameters<Cli['usage']>): string {
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
  const context: BaseContext = { ...Cli.defaultContext };
  try {
    const command = parse(cli, argv, context);
    return await cli.run(command, context);
  } catch (error) {
    output.err(errorText(error));
    return 1;
  }
}

/** clipanion explains a wrong command line over several lines with its whole usage; here it is one line and a hint. */
function parse(cli: Cli, argv: readonly string[], context: BaseContext): ReturnType<Cli['process']> {
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
