// getopt_long(3) in full, over the option table: clusters (-bqD tree), attached values (-Dtree, --directory=tree), unique
// prefixes (--dir), optional values (only attached), --, and everything from the first other word on belongs to the payload.

import { UsageError } from './errors';
import { nearest } from './nearest';
import { type ListName, OPTIONS, type OptionRow, type Settings } from './options';
import { PARSERS, Refusal } from './values';

/** A command line that was read: either settings, or an early wish that ends the reading. */
export type Reading =
  | { readonly kind: 'settings'; readonly settings: Settings }
  | { readonly kind: 'help' }
  | { readonly kind: 'version' }
  | { readonly kind: 'list'; readonly list: ListName };

const SEE_HELP = 'tsnspawn --help lists the options';

/**
 * Reads a command line (without the program's name).
 *
 * @throws UsageError for an unknown or ambiguous option, a missing or unwanted value, or a value that is refused
 */
export function getopt(argv: readonly string[]): Reading {
  const settings: Settings = {};
  let at = 0;
  /** The value of a row that needs one: attached, or the next word. */
  const textOf = (row: OptionRow, shown: string, attached: string | undefined): string => {
    if (row.takes === 'nothing') {
      if (attached !== undefined)
        throw new UsageError(`option ${shown} takes no value, and was given '${attached}'`, { option: shown });
      return row.implied ?? 'yes';
    }
    if (attached !== undefined) return attached;
    if (row.takes === 'optional') return row.implied ?? 'yes';
    at += 1;
    const next = argv[at];
    if (next === undefined) {
      throw new UsageError(`option ${shown} needs a value`, {
        option: shown,
        hint: `write ${shown}${shown.startsWith('--') ? '=' : ' '}${row.metavar ?? 'VALUE'}`,
      });
    }
    return next;
  };

  for (; at < argv.length; at += 1) {
    const word = argv[at] ?? '';
    if (word === '--') {
      at += 1;
      break;
    }
    if (!word.startsWith('-') || word === '-') break;
    if (word.startsWith('--')) {
      const equals = word.indexOf('=');
      const name = equals < 0 ? word.slice(2) : word.slice(2, equals);
      const row = findLong(name);
      const shown = `--${row.also?.includes(name) ? name : row.long}`;
      const early = take(settings, row, shown, textOf(row, shown, equals < 0 ? undefined : word.slice(equals + 1)));
      if (early !== undefined) return early;
      continue;
    }
    for (let i = 1; i < word.length; i += 1) {
      const row = findShort(word[i] ?? '');
      const shown = `-${row.short}`;
      const rest = word.slice(i + 1);
      const attached = row.takes !== 'nothing' && rest !== '' ? rest : undefined;
      const early = take(settings, row, shown, textOf(row, shown, attached));
      if (early !== undefined) return early;
      if (row.takes !== 'nothing') break;
    }
  }
  if (at < argv.length) settings.parameters = argv.slice(at);
  return { kind: 'settings', settings };
}

/** Checks a value and puts it into the settings; answers at once for --help, --version and the value `help`. */
function take(settings: Settings, row: OptionRow, shown: string, text: string): Reading | undefined {
  if (row.key === 'help') return { kind: 'help' };
  if (row.key === 'version') return { kind: 'version' };
  if (row.lists !== undefined && text === 'help') return { kind: 'list', list: row.lists };
  let value: unknown;
  try {
    value = PARSERS[row.value](text);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    const details = error.hint === undefined ? { option: shown } : { option: shown, hint: error.hint };
    throw new UsageError(`bad value '${text}' for ${shown}: ${error.reason}`, details);
  }
  // the table's type ties the kind of value to the key, row by row; the compiler cannot follow that through one loop
  const target = settings as Record<string, unknown>;
  if (row.many === true) target[row.key] = [...((target[row.key] as unknown[] | undefined) ?? []), value];
  else target[row.key] = value;
  return undefined;
}

/** The long names of a row. */
export function namesOf(row: OptionRow): readonly string[] {
  return [...(row.long === undefined ? [] : [row.long]), ...(row.also ?? [])];
}

function findLong(name: string): OptionRow {
  const exact = OPTIONS.find((row) => namesOf(row).includes(name));
  if (exact !== undefined) return exact;
  const all = name === '' ? [] : OPTIONS.filter((row) => namesOf(row).some((candidate) => candidate.startsWith(name)));
  // a prefix that is unique in systemd-nspawn stays so
  const matches = all.some(({ own }) => own !== true) ? all.filter(({ own }) => own !== true) : all;
  const [only] = matches;
  if (only !== undefined && matches.length === 1) return only;
  const option = `--${name}`;
  if (matches.length > 1) {
    const candidates = matches.map((row) => `--${namesOf(row).find((candidate) => candidate.startsWith(name))}`);
    throw new UsageError(`option ${option} is ambiguous`, { option, hint: `it could be ${candidates.join(', ')}` });
  }
  const near = nearest(name, OPTIONS.flatMap(namesOf));
  throw new UsageError(`unknown option ${option}`, {
    option,
    hint: near === undefined ? SEE_HELP : `did you mean --${near}?`,
  });
}

function findShort(letter: string): OptionRow {
  const row = OPTIONS.find((candidate) => candidate.short === letter);
  if (row !== undefined) return row;
  throw new UsageError(`unknown option -${letter}`, { option: `-${letter}`, hint: SEE_HELP });
}
