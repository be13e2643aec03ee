// tsnspawn(1): the page about the launch, its options from the table and the manual, the rest written here.

import { fileKeys, type OptionRow } from '@tsnspawn/core';
import { DOCUMENTED, paragraphs } from '../manual';
import { HEADINGS } from '../render/help';
import { bold, entry, example, italic, type Page, type Section, subsection, text } from './roff';

/** @param verbs names and summaries of the other commands */
export function launchPage(verbs: readonly (readonly [name: string, summary: string])[]): Page {
  return {
    name: 'tsnspawn',
    summary: 'run a program or boot a system from a directory tree in namespaces',
    sections: [
      {
        title: 'SYNOPSIS',
        body: [
          `.B tsnspawn`,
          `[${italic('OPTIONS')}] [${italic('COMMAND')} [${italic('ARGUMENT')}...]]`,
          '.br',
          '.B tsnspawn',
          `${italic('VERB')} [${italic('ARGUMENT')}...]`,
        ],
      },
      DESCRIPTION,
      options(),
      {
        title: 'VERBS',
        body: verbs.flatMap(([name, summary]) =>
          entry(bold(`tsnspawn ${name}`), `${summary}; see tsnspawn-${name}(1)`),
        ),
      },
      ...CLOSING,
    ],
  };
}

const DESCRIPTION: Section = {
  title: 'DESCRIPTION',
  body: text(
    'A tree is a directory that holds an operating system. `tsnspawn` starts *COMMAND* in it, or a login shell when there is no *COMMAND*, or with `--boot` its init, in namespaces of its own: it sees the tree as its root, its own processes, host name and devices, and nothing else of the host. Nothing has to run on the host for that, and nothing has to be installed in the tree.',
    'The command line is that of systemd-nspawn(1). A program whose name is that of a verb is started by its path.',
    'Options end at the first word that is none, or at `--`; what follows belongs to *COMMAND*. Long names may be cut as long as they are unique. Letters may be written together, and their values directly behind them. A value that may be left out has to follow `=`. Of an option that is given twice the last counts, unless it says that it may be given several times. What cannot be given is an error, before anything is started; what was asked for is never left out in silence.',
    'Nothing of a container survives the launcher, whoever ends it and how: the kernel kills every process in it when its monitor dies, and the monitor ends with the launcher.',
  ),
};

function options(): Section {
  const groups = Object.entries(HEADINGS) as [OptionRow['group'], string][];
  return {
    title: 'OPTIONS',
    body: groups.flatMap(([group, title]) => [
      subsection(title),
      ...DOCUMENTED.filter((row) => row.group === group).flatMap((row) => entry(term(row), ...paragraphs(row))),
    ]),
  };
}

/** `-D` *DIR*, `--directory=`*DIR* */
function term({ short, long, metavar, takes }: OptionRow): string {
  const value = metavar === undefined ? '' : italic(metavar);
  const forms = [
    ...(short === undefined ? [] : [metavar === undefined ? bold(`-${short}`) : `${bold(`-${short}`)} ${value}`]),
    ...(long === undefined ? [] : [`${bold(`--${long}`)}${longValue(value, takes)}`]),
  ];
  return forms.join(', ');
}

function longValue(value: string, takes: OptionRow['takes']): string {
  if (value === '') return '';
  return takes === 'optional' ? `[${bold('=')}${value}]` : `${bold('=')}${value}`;
}

/** Which key of a settings file says what. */
function settingsTable(): string[] {
  const keys = [...fileKeys()].map(([name, { row, prefix }]) => {
    const [section = '', key = ''] = name.split('.');
    const option = row.long === undefined ? italic(row.metavar ?? '') : bold(`--${row.long}${prefix && `=${prefix}`}`);
    return { section, key, option, mark: row.file.trusted === undefined ? '' : '*' };
  });
  return ['Exec', 'Files', 'Network'].flatMap((section) => [
    '.PP',
    `In the section ${bold(`[${section}]`)}:`,
    '.PD 0',
    ...keys
      .filter((key) => key.section === section)
      .flatMap(({ key, option, mark }) => ['.TP 30', `${bold(`${key}=`)}${mark}`, option]),
    '.PD',
  ]);
}

const CLOSING: readonly Section[] = [
  {
    title: 'KEYS',
    body: [
      ...text('On an interactive console, three keys within a second:'),
      ...entry(bold('Ctrl-] Ctrl-] Ctrl-]'), 'kills the container.'),
      ...entry(bold('Ctrl-] Ctrl-] p'), 'asks its init to power off.'),
      ...entry(bold('Ctrl-] Ctrl-] r'), 'asks its init to reboot.'),
      ...text('All other keys go to the container, Ctrl-C and Ctrl-] alone as well.'),
    ],
  },
  {
    title: 'SIGNALS',
    body: [
      ...entry(
        `${bold('SIGTERM')}, ${bold('SIGINT')}, ${bold('SIGHUP')}`,
        'A container that was booted, or that has a `--kill-signal`, is asked to shut down, and a second signal kills it. Any other is killed at once. A hang-up counts also for a launcher that was started by nohup(1): Node.js takes the mark away before it runs. setsid(1) or a service manager do what nohup(1) is used for.',
      ),
      ...entry(bold('SIGWINCH'), "The terminal of the container takes the size of the caller's."),
      ...entry(bold('SIGKILL'), 'The container is killed with the launcher.'),
    ],
  },
  {
    title: 'EXIT STATUS',
    body: [
      ...entry(bold('0'), 'The container was shut down or powered off, or its PID 1 exited with 0.'),
      ...entry(
        bold('1'),
        'The container could not be started, PID 1 was killed by a signal, or it was killed on request.',
      ),
      ...entry(bold('133'), 'The container asked for a reboot, and `--keep-unit` was given.'),
      ...entry(
        italic('other'),
        'The status of PID 1, or with `--as-pid2` of PID 2; 255 when that was killed by a signal.',
      ),
    ],
  },
  {
    title: 'ENVIRONMENT',
    body: [
      ...text(
        "Of the caller's environment the container gets nothing but `$TERM`, `$COLORTERM` and `$NO_COLOR`. Its PID 1 finds:",
      ),
      ...entry(bold('PATH'), '`/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`'),
      ...entry(bold('container'), '`tsnspawn`'),
      ...entry(bold('container_uuid'), 'the machine id'),
      ...entry(bold('container_host_*'), "`id`, `version_id`, `build_id` and `variant_id` of the host's os-release(5)"),
      ...entry(bold('NOTIFY_SOCKET'), 'where it may say `READY=1`, see sd_notify(3)'),
      ...entry(bold('HOME, USER, LOGNAME'), 'those of the user it runs as'),
      ...entry(bold('LANG'), '`C.UTF-8`, unless it is booted'),
      ...entry(bold('CREDENTIALS_DIRECTORY'), 'where its credentials lie, when it has some'),
      ...entry(
        bold('LISTEN_FDS, LISTEN_FDNAMES, LISTEN_PID'),
        'the descriptors of socket activation that the launcher was given, see sd_listen_fds(3)',
      ),
      ...text('The launcher itself reads these variables:'),
      ...entry(
        bold('SYSTEMD_NSPAWN_UNIFIED_HIERARCHY'),
        'whether the container gets cgroup2 alone, or the legacy hierarchies; by default what its init understands.',
      ),
      ...entry(bold('SYSTEMD_NSPAWN_TMPFS_TMP'), '`0`: */tmp* is the one of the tree.'),
      ...entry(
        bold('SYSTEMD_NSPAWN_CHECK_OS_RELEASE'),
        '`0`: the tree is started without a look whether it is a system.',
      ),
      ...entry(bold('SYSTEMD_NSPAWN_LOCK'), '`0`: the tree is not locked.'),
      ...entry(
        bold('SYSTEMD_NSPAWN_API_VFS_WRITABLE'),
        '`1`: */sys* and */proc/sys* can be written to; `network`: */proc/sys/net* alone.',
      ),
      ...entry(bold('SYSTEMD_NSPAWN_USE_CGNS'), '`0`: no cgroup namespace.'),
      ...entry(
        `${bold('SYSTEMD_NSPAWN_SHARE_NS_IPC')}, ${bold('SYSTEMD_NSPAWN_SHARE_NS_UTS')}`,
        '`1`: the container stays in that namespace of the host; the latter only for a payload that is no init.',
      ),
      ...entry(bold('SYSTEMD_NSPAWN_CONTAINER_SERVICE'), 'what the container sees as `$container`.'),
      ...entry(bold('SYSTEMD_NSPAWN_NETWORK_MAC'), 'the hardware address of *host0*.'),
      ...entry(bold('SYSTEMD_SECCOMP'), '`0`: no system call filter.'),
      ...entry(bold('SYSTEMD_SUPPRESS_SYNC'), 'the default of `--suppress-sync`.'),
      ...entry(bold('SYSTEMD_LOG_LEVEL'), '`notice` or less: as `--quiet`.'),
      ...entry(bold('NOTIFY_SOCKET'), 'the service manager that hears how the container fares.'),
      ...entry(bold('COLUMNS'), 'the width of `--help`.'),
      ...entry(bold('NO_COLOR'), 'no `--background`; the container sees it, too.'),
      ...entry(bold('DEBUG'), '`tsnspawn:*` tells what happens inside the launcher.'),
    ],
  },
  {
    title: 'FILES',
    body: [
      ...entry(
        `${italic('/etc/systemd/nspawn/MACHINE.nspawn')}, ${italic('/run/systemd/nspawn/MACHINE.nspawn')}`,
        'Settings of a machine, by the administrator.',
      ),
      ...entry(italic('MACHINE.nspawn'), 'beside the tree or the image: settings that came with it.'),
      ...entry(
        `${italic('/var/lib/machines')}, ${italic('/etc/machines')}, ${italic('/run/machines')}, ${italic('/usr/local/lib/machines')}, ${italic('/usr/lib/machines')}`,
        'Trees that `--machine` finds by their names.',
      ),
      ...entry(
        italic('/run/host'),
        'in the container: *container-manager*, *container-uuid*, *os-release* of the host, the socket *notify*, *credentials*.',
      ),
    ],
  },
  {
    title: 'SETTINGS FILES',
    body: [
      ...text(
        'A file *MACHINE.nspawn* says what options say, in the form of systemd.nspawn(5). What it says counts where the command line has no option of the same kind; see `--settings`. The first file that is found counts, and no other.',
        'Keys with an asterisk could be turned against the host. They count in a file of the administrator, and in one that lies beside the tree only with `--settings=trusted`; else a warning tells that they were left out. A key that is not known is told as well; a bad value is an error.',
      ),
      ...settingsTable(),
    ],
  },
  {
    title: 'EXAMPLES',
    body: [
      ...example(
        'Make a tree and boot it:',
        'tsnspawn bootstrap bookworm ./debian --include=systemd-sysv,dbus --autologin',
        'tsnspawn -bD debian',
      ),
      ...example('A shell in it, whose changes are forgotten:', 'tsnspawn -xD debian'),
      ...example(
        "A filter, with the caller's standard input and output:",
        'tsnspawn -qPD debian tar -c /etc > etc.tar',
      ),
      ...example(
        'Build the sources in the current directory with the tools of the tree:',
        'tsnspawn -D debian --bind=$PWD:/src --chdir=/src make',
      ),
      ...example(
        "An ordinary user's rights for root in the container, and a network of its own:",
        'tsnspawn -bUnD debian',
      ),
      ...example(
        'No more than a gigabyte of memory and half a processor:',
        'tsnspawn -bD debian --property=MemoryMax=1G --property=CPUQuota=50%',
      ),
      ...example('See what would be done:', 'tsnspawn -bD debian --dry-run'),
    ],
  },
  {
    title: 'SEE ALSO',
    body: [
      'tsnspawn\\-bootstrap(1), tsnspawn\\-boot\\-check(1), tsnspawn\\-doctor(1), systemd\\-nspawn(1), systemd.nspawn(5), namespaces(7), capabilities(7)',
    ],
  },
];
