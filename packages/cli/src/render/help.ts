// --help and the lists of `--option=help`, made from the option table.

import {
  CAPABILITIES,
  CONSOLES,
  type ListName,
  OPTIONS,
  type OptionRow,
  OWNERSHIPS,
  RESOLV_CONF_MODES,
  RLIMITS,
  signalNames,
  TIMEZONE_MODES,
} from '@tsnspawn/core';

/** Headings of --help and of the manual, in their order. */
export const HEADINGS: { readonly [group in OptionRow['group']]: string } = {
  tree: 'Tree',
  payload: 'Payload',
  engine: 'Engine',
  users: 'Users',
  mounts: 'Files',
  privileges: 'Privileges',
  resources: 'Resources',
  network: 'Network',
  integration: 'What of the host the container gets',
  console: 'Console',
  other: 'Other',
};

const USAGE = [
  'tsnspawn [OPTIONS] [COMMAND [ARGUMENT...]]',
  'tsnspawn boot-check [OPTIONS] [COMMAND [ARGUMENT...]]',
  'tsnspawn bootstrap SUITE DIR [MIRROR]',
  'tsnspawn doctor [DIR]',
  'tsnspawn completion bash|zsh|fish',
  'tsnspawn man [PAGE]',
];

const ABOUT =
  'Starts COMMAND, a login shell, or with --boot a whole system in a tree: a directory that holds an operating system.';

/** Keys and what they do; the manual has more words for them. */
const KEYS = [
  ['Ctrl-] Ctrl-] Ctrl-]', 'kill the container'],
  ['Ctrl-] Ctrl-] p', 'ask its init to power off'],
  ['Ctrl-] Ctrl-] r', 'ask its init to reboot'],
] as const;

const EXAMPLES = [
  ['tsnspawn -D tree', 'a shell in the tree'],
  ['tsnspawn -bD tree', 'boot it'],
  ['tsnspawn -qPD tree tar c /etc', 'a filter'],
  ['tsnspawn -D tree --dry-run', 'what would be done'],
] as const;

const NARROWEST = 40;
/** Longer lines are hard to read on any terminal. */
const WIDEST = 120;

/**
 * The text of --help.
 * @param columns the width of the terminal, or what else it is to fit into
 */
export function renderHelp(columns: number): string {
  const width = Math.min(Math.max(columns, NARROWEST), WIDEST);
  const column = Math.min(Math.max(Math.floor(width * 0.37), 16), 40);
  const table = (rows: readonly (readonly [string, string])[]): string =>
    rows.map(([left, right]) => twoColumns(left, right, column, width)).join('');
  const sections = (Object.keys(HEADINGS) as OptionRow['group'][]).map((group) => {
    const rows = OPTIONS.filter((row) => row.group === group && row.hidden !== true);
    return `${HEADINGS[group]}\n${table(rows.map((row) => [synopsis(row), row.help]))}`;
  });
  return [
    `${[...USAGE, '', ...wrap(ABOUT, width)].join('\n')}\n`,
    ...sections,
    `Keys of the console, within a second\n${table(KEYS)}`,
    `Examples\n${table(EXAMPLES)}`,
    `${wrap('tsnspawn man shows the manual: every option at length, settings files, signals, statuses.', width).join('\n')}\n`,
  ].join('\n');
}

/** `-D, --directory=DIR`; where no letter stands, its place stays empty. */
export function synopsis(row: OptionRow): string {
  const short = row.short === undefined ? '    ' : `-${row.short}${row.long === undefined ? '' : ', '}`;
  const value = row.metavar === undefined ? '' : row.takes === 'optional' ? `[=${row.metavar}]` : `=${row.metavar}`;
  return `${short}${row.long === undefined ? '' : `--${row.long}${value}`}`;
}

/** One entry: what does not fit beside a long left side begins below it. */
function twoColumns(left: string, right: string, column: number, width: number): string {
  const [first = '', ...others] = wrap(right, width - column);
  const indent = ' '.repeat(column);
  const head = left.length + 4 <= column ? `  ${left}`.padEnd(column) + first : `  ${left}\n${indent}${first}`;
  return `${[head, ...others.map((line) => indent + line)].join('\n')}\n`;
}

/** Words in lines of at most `width` characters, unless a word alone is longer. */
function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = '';
    }
    line += line === '' ? word : ` ${word}`;
  }
  return [...lines, line];
}

const LISTS: { readonly [list in ListName]: () => readonly string[] } = {
  signals: signalNames,
  consoles: () => CONSOLES,
  capabilities: () => CAPABILITIES,
  'resolv-conf': () => RESOLV_CONF_MODES,
  timezone: () => TIMEZONE_MODES,
  limits: () => RLIMITS,
  ownerships: () => OWNERSHIPS,
};

/** What `help` as an option's value prints, one name per line. */
export function renderList(list: ListName): string {
  return `${LISTS[list]().join('\n')}\n`;
}
