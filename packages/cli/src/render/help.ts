// --help and the lists of `--option=help`, made from the option table.

import {
  CAPABILITIES,
  CONSOLES,
  type ListName,
  OPTIONS,
  type OptionRow,
  RESOLV_CONF_MODES,
  signalNames,
  TIMEZONE_MODES,
} from '@tsnspawn/core';

const HEADINGS: { readonly [group in OptionRow['group']]: string } = {
  tree: 'Tree',
  payload: 'Payload',
  users: 'Users',
  mounts: 'Files',
  privileges: 'Privileges',
  resources: 'Resources',
  network: 'Network',
  integration: 'What of the host the container gets',
  console: 'Console',
  other: 'Other',
};

const USAGE = `tsnspawn [OPTIONS] [COMMAND [ARGUMENT...]]
tsnspawn boot-check [OPTIONS] [COMMAND [ARGUMENT...]]
tsnspawn bootstrap SUITE DIR [MIRROR]

Starts COMMAND, a login shell, or with --boot a whole system in a tree: a directory that holds an operating system.
`;

const KEYS = `Keys of an interactive console, within a second
  Ctrl-] Ctrl-] Ctrl-]  kill the container
  Ctrl-] Ctrl-] p       ask its init to power off
  Ctrl-] Ctrl-] r       ask its init to reboot, where that is systemd
`;

const EXAMPLES = `Examples
  tsnspawn -D debian-tree                      a shell in the tree
  tsnspawn -D debian-tree /sbin/init           boot it
  tsnspawn -D debian-tree --pipe cat < file    a filter
  tsnspawn -D debian-tree --dry-run            what would be done
`;

/** The text of --help. */
export function renderHelp(): string {
  const rows = OPTIONS.filter(({ hidden }) => hidden !== true);
  const width = Math.max(...rows.map((row) => left(row).length));
  const sections = (Object.keys(HEADINGS) as OptionRow['group'][]).map((group) => {
    const lines = rows.filter((row) => row.group === group).map((row) => `  ${left(row).padEnd(width)}  ${row.help}\n`);
    return `${HEADINGS[group]}\n${lines.join('')}`;
  });
  return [USAGE, ...sections, KEYS, EXAMPLES].join('\n');
}

/** `-D, --directory=DIR` */
function left(row: OptionRow): string {
  const short = row.short === undefined ? '    ' : `-${row.short}${row.long === undefined ? '' : ', '}`;
  const value = row.metavar === undefined ? '' : row.takes === 'optional' ? `[=${row.metavar}]` : `=${row.metavar}`;
  return `${short}${row.long === undefined ? '' : `--${row.long}${value}`}`;
}

const LISTS: { readonly [list in ListName]: () => readonly string[] } = {
  signals: signalNames,
  consoles: () => CONSOLES,
  capabilities: () => CAPABILITIES,
  'resolv-conf': () => RESOLV_CONF_MODES,
  timezone: () => TIMEZONE_MODES,
};

/** What `help` as an option's value prints, one name per line. */
export function renderList(list: ListName): string {
  return `${LISTS[list]().join('\n')}\n`;
}
