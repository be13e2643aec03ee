// What bin/tsnspawn.cjs runs. Verbs live in a bundle of their own, which the launch path never reads.

import { exactArguments, exitNow } from '@tsnspawn/runtime';
import { launch } from './launch';

export { encodePlan } from '@tsnspawn/native';
export { launch };

/** First words that are commands of their own. A program of such a name in the tree is started by its path. */
const VERBS: readonly string[] = ['bootstrap', 'export', 'remove', 'boot-check', 'doctor', 'completion', 'man'];

/** What verbs.ts exports. */
interface VerbsModule {
  /** Runs a verb; `argv` starts with its name. Resolves to the exit status. */
  main(argv: readonly string[]): Promise<number>;
}

/** The command, from its arguments to the end of the process. */
export async function main(given: readonly string[]): Promise<void> {
  const argv = exactArguments(given);
  if (!VERBS.includes(argv[0] ?? '')) exitNow(await launch(argv, process.env));
  // external in the build: resolved beside the bundle when it is run
  const verbs = require('./verbs.cjs') as VerbsModule;
  process.exitCode = await verbs.main(argv);
}
