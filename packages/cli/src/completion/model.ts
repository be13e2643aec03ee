// What a shell has to know of the command line, made from the option table and from the verbs.

import { OPTIONS, type OptionRow } from '@tsnspawn/core';
import { MACHINES } from '../place';
import { CANDIDATES, type Candidates } from './candidates';

export interface CompletedOption {
  /** with their dashes, the short one first */
  readonly names: readonly string[];
  readonly takes: OptionRow['takes'];
  readonly help: string;
  readonly metavar: string;
  readonly candidates: Candidates;
  /** it may be given several times */
  readonly many: boolean;
}

/** A command line: that of the launch, or of a verb, whose name comes first. */
export interface CompletedLine {
  readonly name: string;
  readonly help: string;
  readonly options: readonly CompletedOption[];
  /** what its words may be, in their order; `payload`: the first one begins a command line of the container */
  readonly operands: readonly Candidates[] | 'payload';
}

export interface CompletedCommand {
  readonly launch: CompletedLine;
  readonly verbs: readonly CompletedLine[];
  /** directories whose entries are machines */
  readonly machines: readonly string[];
}

/** The whole command, from what its verbs say of themselves. */
export function completedCommand(verbs: readonly CompletedLine[]): CompletedCommand {
  const launch: CompletedLine = { name: 'launch', help: '', options: LAUNCH_OPTIONS, operands: 'payload' };
  return { launch, verbs, machines: MACHINES };
}

/** The options of a launch. */
export const LAUNCH_OPTIONS: readonly CompletedOption[] = OPTIONS.filter((row) => row.hidden !== true).map((row) => ({
  names: [...(row.short === undefined ? [] : [`-${row.short}`]), ...(row.long === undefined ? [] : [`--${row.long}`])],
  takes: row.takes,
  help: row.help,
  metavar: row.metavar ?? '',
  candidates: candidatesOf(row),
  many: row.many === true,
}));

function candidatesOf(row: OptionRow): Candidates {
  if (row.takes === 'nothing') return { from: 'nothing' };
  if (row.key === 'machine') return { from: 'machines' };
  if (row.key === 'bindUserGroups') return { from: 'groups' };
  if (row.value === 'path' && row.metavar === 'DIR') return { from: 'directories' };
  const candidates = CANDIDATES[row.value];
  if (row.lists === undefined || candidates.from !== 'words') return candidates;
  return { from: 'words', words: [...candidates.words, 'help'] };
}

/** Options whose value is the next word when none is attached. */
export function wanting({ options }: CompletedLine): readonly string[] {
  return options.filter(({ takes }) => takes === 'required').flatMap(({ names }) => names);
}
