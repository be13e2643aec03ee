// What all verbs have in common: how they tell an error, and how they are described. clipanion would print a trace, or take an
// error that was told for a success.

import { type BaseContext, Command, type Definition } from 'clipanion';
import type { Candidates } from '../completion/candidates';
import { type CompletedLine, type CompletedOption, LAUNCH_OPTIONS } from '../completion/model';
import { errorText } from '../launch';
import { STDIO } from '../stdio';

/** What a verb may ask of the command around it. */
export interface VerbContext extends BaseContext {
  /** all verbs, in the order in which they are to be shown */
  readonly verbs: () => readonly DescribedVerb[];
}

export abstract class Verb extends Command<VerbContext> {
  /** what its words may be; `launch`: the options of a launch and its payload */
  static readonly operands: readonly Candidates[] | 'launch' = [];
  /** what the values of its options may be, by their names */
  static readonly values: { readonly [option: string]: Candidates } = {};
  /** options that it reads itself, where clipanion hands on all there are */
  static readonly ownOptions: readonly CompletedOption[] = [];

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

/** A verb as completion and the manual see it. */
export interface DescribedVerb {
  readonly line: CompletedLine;
  /** its own options, without those of a launch */
  readonly options: readonly CompletedOption[];
  readonly definition: Definition;
}

/** A verb from its class and what clipanion found out about it. */
export function describe(verb: typeof Verb, definition: Definition): DescribedVerb {
  const { operands, ownOptions, values } = verb;
  const options = [...ownOptions, ...definition.options.map((option) => optionOf(option, values))];
  const line: CompletedLine = {
    name: definition.path.split(' ').slice(1).join(' '),
    help: definition.description?.trim() ?? '',
    options: operands === 'launch' ? [...options, ...LAUNCH_OPTIONS] : options,
    operands: operands === 'launch' ? 'payload' : operands,
  };
  return { line, options, definition };
}

/** clipanion writes `-q,--quiet`, or `--cache #0` with a value. */
function optionOf(
  { definition, description = '' }: Definition['options'][number],
  values: typeof Verb.values,
): CompletedOption {
  const [forms = '', value] = definition.split(' ');
  const names = forms.split(',').sort((a, b) => a.length - b.length);
  return {
    names,
    takes: value === undefined ? 'nothing' : 'required',
    help: description,
    metavar: value === undefined ? '' : 'VALUE',
    candidates: values[names.at(-1) ?? ''] ?? { from: 'nothing' },
    many: false,
  };
}
