// What all verbs have in common: how they tell an error. clipanion would print a trace, or take an error that was told for a
// success.

import { Command } from 'clipanion';
import { errorText } from '../launch';
import { STDIO } from '../stdio';

export abstract class Verb extends Command {
  /** What the verb does; the exit status. */
  protected abstract run(): Promise<number>;

  async execute(): Promise<number> {
    try {
      return await this.run();
    } catch (error) {
      STDIO.err(errorText(error));
      return 1;
    }
  }
}
