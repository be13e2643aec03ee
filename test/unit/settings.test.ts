// .nspawn files: what a key says is what its option says, what may not count does not, and what nobody knows is told.

import {
  type ContainerSpec,
  fileKeys,
  mergeSettings,
  parseArguments,
  readSettings,
  type Settings,
  specFrom,
} from '@tsnspawn/core';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { spec } from './fixtures';

const PATH = '/etc/systemd/nspawn/m.nspawn';

function read(text: string, trusted = true) {
  return readSettings({ path: PATH, text, trusted });
}

/** The spec of a file alone. */
function fileSpec(text: string, trusted = true): ContainerSpec {
  return specFrom(read(text, trusted).settings, {});
}

function optionSettings(...argv: string[]): Settings {
  let said: Settings = {};
  parseArguments(argv, {}, (settings) => {
    said = settings;
    return settings;
  });
  return said;
}

/** The spec of a command line with a file, as --settings=yes and as --settings=override. */
function together(argv: readonly string[], text: string) {
  const said = optionSettings(...argv);
  const { settings } = read(text);
  return {
    normal: specFrom(mergeSettings(said, settings), {}),
    override: specFrom(mergeSettings(settings, said), {}),
  };
}

/** For each key of systemd.nspawn(5) lines of a file and the options that say the same. */
const SAME: readonly (readonly [lines: string, ...options: string[]])[] = [
  ['[Exec]\nBoot=yes', '--boot'],
  ['[Exec]\nEphemeral=yes', '--ephemeral'],
  ['[Exec]\nProcessTwo=true', '--as-pid2'],
  ['[Exec]\nBoot=no\nParameters=/bin/sh -c "echo a  b"', '/bin/sh', '-c', 'echo a  b'],
  ['[Exec]\nBoot=1\nParameters=single\nParameters=quiet', '-b', 'single', 'quiet'],
  [`[Exec]\nEnvironment=A=1 "B=two words" 'C="'\nEnvironment=D=`, '-EA=1', '-EB=two words', '-EC="', '-ED='],
  ['[Exec]\nUser=joe', '--user=joe'],
  ['[Exec]\nWorkingDirectory=/srv', '--chdir=/srv'],
  ['[Exec]\nPivotRoot=/new:/old', '--pivot-root=/new:/old'],
  ['[Exec]\nCapability=CAP_SYSLOG sys_time\nCapability=CAP_BPF', '--capability=CAP_SYSLOG,sys_time,CAP_BPF'],
  ['[Exec]\nDropCapability=CAP_KILL CAP_CHOWN', '--drop-capability=CAP_KILL,CAP_CHOWN'],
  ['[Exec]\nAmbientCapability=CAP_KILL', '--ambient-capability=CAP_KILL'],
  ['[Exec]\nNoNewPrivileges=yes', '--no-new-privileges=yes'],
  ['[Exec]\nKillSignal=SIGUSR1', '--kill-signal=SIGUSR1'],
  ['[Exec]\nPersonality=x86', '--personality=x86'],
  ['[Exec]\nMachineID=1234567812345678123456781234567a', '--uuid=1234567812345678123456781234567a'],
  ['[Exec]\nPrivateUsers=pick', '--private-users=pick'],
  ['[Exec]\nPrivateUsers=65536:1000', '--private-users=65536:1000'],
  ['[Exec]\nNotifyReady=on', '--notify-ready=on'],
  [
    '[Exec]\nSystemCallFilter=@swap bpf\nSystemCallFilter=~ptrace',
    '--system-call-filter=@swap bpf',
    '--system-call-filter=~ptrace',
  ],
  ...'CPU FSIZE DATA STACK CORE RSS NOFILE AS NPROC MEMLOCK LOCKS SIGPENDING MSGQUEUE NICE RTPRIO RTTIME'
    .split(' ')
    .map((name) => [`[Exec]\nLimit${name}=10:20`, `--rlimit=${name}=10:20`] as const),
  ['[Exec]\nLimitMEMLOCK=1G:infinity', '--rlimit=MEMLOCK=1G:infinity'],
  ['[Exec]\nOOMScoreAdjust=-10', '--oom-score-adjust=-10'],
  ['[Exec]\nCPUAffinity=0-2,5\nCPUAffinity=7', '--cpu-affinity=0-2,5', '--cpu-affinity=7'],
  ['[Exec]\nHostname=other', '--hostname=other'],
  ['[Exec]\nResolvConf=bind-host', '--resolv-conf=bind-host'],
  ['[Exec]\nTimezone=off', '--timezone=off'],
  ['[Exec]\nLinkJournal=try-guest', '--link-journal=try-guest'],
  ['[Exec]\nSuppressSync=true', '--suppress-sync=true'],
  ['[Files]\nReadOnly=yes', '--read-only'],
  ['[Files]\nVolatile=state', '--volatile=state'],
  ['[Files]\nBind=/a:/b:norbind\nBind=/c', '--bind=/a:/b:norbind', '--bind=/c'],
  ['[Files]\nBindReadOnly=/with blank:/b', '--bind-ro=/with blank:/b'],
  ['[Files]\nTemporaryFileSystem=/t:size=1M', '--tmpfs=/t:size=1M'],
  ['[Files]\nInaccessible=/secret', '--inaccessible=/secret'],
  ['[Files]\nOverlay=/l:/u:/d', '--overlay=/l:/u:/d'],
  ['[Files]\nOverlayReadOnly=/l:/d', '--overlay-ro=/l:/d'],
  ['[Files]\nTemporaryFileSystem=/x\nBind=/a:/x', '--tmpfs=/x', '--bind=/a:/x'],
  ['[Files]\nBindUser=joe ann', '--bind-user=joe', '--bind-user=ann'],
  ['[Files]\nBindUser=joe\nBindUserShell=/bin/sh', '--bind-user=joe', '--bind-user-shell=/bin/sh'],
  ['[Exec]\nPrivateUsers=0\n[Files]\nPrivateUsersOwnership=map', '--private-users=0', '--private-users-ownership=map'],
  ['[Exec]\nPrivateUsers=0\n[Files]\nPrivateUsersChown=yes', '--private-users=0', '--private-users-chown'],
  ['[Files]\nPrivateUsersChown=no', '--private-users-ownership=off'],
  ['[Network]\nPrivate=yes', '--private-network'],
  ['[Network]\nVirtualEthernet=yes', '--network-veth'],
  ['[Network]\nVirtualEthernetExtra=a:b', '--network-veth-extra=a:b'],
  ['[Network]\nInterface=eth0 eth1:lan', '--network-interface=eth0', '--network-interface=eth1:lan'],
  ['[Network]\nMACVLAN=eth0', '--network-macvlan=eth0'],
  ['[Network]\nIPVLAN=eth0', '--network-ipvlan=eth0'],
  ['[Network]\nBridge=br0', '--network-bridge=br0'],
  ['[Network]\nZone=z', '--network-zone=z'],
  ['[Network]\nPrivate=yes\nPort=tcp:80:8080\nPort=udp:53', '--private-network', '-p', 'tcp:80:8080', '-p', 'udp:53'],
];

for (const [lines, ...options] of SAME) {
  test(`${lines.replaceAll('\n', ' ')} says ${options.join(' ')}`, () => {
    const { warnings } = read(lines);
    assert.equal(warnings, []);
    assert.equal(fileSpec(lines), spec(...options));
  });
}

test('every key of the table is among those that were compared with an option', () => {
  const text = SAME.map(([lines]) => lines).join('\n');
  const compared = new Set(
    [...text.matchAll(/^\[(\w+)\]|^(\w+)=/gm)].reduce<{ section: string; keys: string[] }>(
      ({ section, keys }, [, header, key]) =>
        header === undefined ? { section, keys: [...keys, `${section}.${key}`] } : { section: header, keys },
      { section: '', keys: [] },
    ).keys,
  );
  assert.equal(
    [...fileKeys().keys()].filter((key) => !compared.has(key)),
    [],
  );
});

test('only a file of the administrator may give privileges, mounts and networks; the rest counts from beside the tree too', () => {
  const privileged =
    'Exec.Ephemeral Exec.Capability Exec.AmbientCapability Exec.MachineID Exec.PrivateUsers Exec.OOMScoreAdjust Exec.CPUAffinity ' +
    'Exec.LinkJournal Files.Bind Files.BindReadOnly Files.TemporaryFileSystem Files.Inaccessible Files.Overlay Files.OverlayReadOnly ' +
    'Files.PrivateUsersOwnership Files.PrivateUsersChown Files.BindUser Files.BindUserShell Network.Private ' +
    'Network.VirtualEthernet Network.VirtualEthernetExtra Network.Interface Network.MACVLAN Network.IPVLAN Network.Bridge ' +
    'Network.Zone Network.Port';
  const marked = [...fileKeys()].filter(([, { row }]) => row.file.trusted === true).map(([name]) => name);
  assert.equal(marked.filter((name) => !name.startsWith('Exec.Limit')).sort(), privileged.split(' ').sort());
  assert.is(marked.filter((name) => name.startsWith('Exec.Limit')).length, 16);
});

for (const [lines] of SAME) {
  const privileged = lines
    .split('\n')
    .map((line) => line.split('=', 1)[0] ?? '')
    .filter((key) => [...fileKeys()].some(([name, { row }]) => name.endsWith(`.${key}`) && row.file.trusted === true));
  if (privileged.length === 0) continue;
  test(`beside the tree ${lines.replaceAll('\n', ' ')} is ignored with a warning that names the key`, () => {
    const { settings, warnings } = read(lines, false);
    for (const key of privileged) {
      assert.ok(
        warnings.some((text) => text.includes(`${key}= is ignored`)),
        `${key} in ${warnings.join('\n')}`,
      );
    }
    const keys = [...fileKeys().values()].filter(({ row }) => row.file.trusted === true).map(({ row }) => row.key);
    assert.equal(
      Object.keys(settings).filter((key) => keys.includes(key as keyof Settings)),
      [],
    );
  });
}

test('beside the tree a system call filter may only take away', () => {
  const { settings, warnings } = read('[Exec]\nSystemCallFilter=bpf\nSystemCallFilter=~ptrace\n', false);
  assert.equal(settings.systemCallFilter, [{ deny: true, names: ['ptrace'] }]);
  assert.equal(warnings.length, 1);
  assert.match(warnings[0] ?? '', /:2: SystemCallFilter= is ignored/);
});

test('the value of a key that is ignored is not looked at', () => {
  assert.equal(read('[Files]\nBind=/a:relative\n', false).settings, {});
});

test('a file cannot ask for a variable of the caller', () => {
  assert.throws(() => read('[Exec]\nEnvironment=SECRET\n', false), /m\.nspawn:2: bad value 'SECRET' for Environment=/);
});

test('an unknown key and an unknown section are told with file and line, once per section, and the rest counts', () => {
  const { settings, warnings } = read('[Exec]\nFrob=1\nBoot=yes\n[Frobs]\nA=1\n[Frobs]\nB=2\n[Network]\nBoot=no\n');
  assert.equal(warnings, [
    `${PATH}:2: unknown key Frob= in section [Exec]: ignored`,
    `${PATH}:5: unknown section [Frobs]: ignored with all that is in it`,
    `${PATH}:9: unknown key Boot= in section [Network]: ignored`,
  ]);
  assert.equal(settings, { boot: true });
});

test('names that start with X- belong to other programs and are passed over without a word', () => {
  assert.equal(read('[X-Mine]\nA=1\n[Exec]\nX-Note=2\n'), { settings: {}, warnings: [] });
});

test('names of the properties that every object of JavaScript has are unknown keys', () => {
  const names = ['__proto__', 'constructor', 'toString', 'hasOwnProperty'];
  const { settings, warnings } = read(`[Exec]\n${names.map((name) => `${name}=x\n`).join('')}[__proto__]\nBoot=1\n`);
  assert.equal(settings, {});
  assert.is(warnings.length, names.length + 1);
});

test('a bad value is an error that names file, line, key and value', () => {
  for (const [line, message] of [
    ['[Exec]\nBoot=maybe', /:2: bad value 'maybe' for Boot=: neither yes nor no/],
    ['[Exec]\nKillSignal=NOPE', /:2: bad value 'NOPE' for KillSignal=/],
    ['[Exec]\n\nLimitNOFILE=x', /:3: bad value 'x' for LimitNOFILE=/],
    ['[Exec]\nDropCapability=CAP_KILL CAP_NOPE', /bad value 'CAP_KILL CAP_NOPE' for DropCapability=.*CAP_NOPE/],
    ['[Exec]\nEnvironment="A=1', /a quote is not closed/],
    ['[Exec]\nPivotRoot=/a/../..', /bad value .*PivotRoot=/],
    ['[Exec]\nWorkingDirectory=../x', /bad value .*WorkingDirectory=/],
    ['[Files]\nBind=/etc:/../x', /bad value .*Bind=/],
    ['[Files]\nInaccessible=relative', /bad value .*Inaccessible=/],
    ['[Files]\nBindUser=../root', /bad value .*BindUser=/],
    ['[Network]\nPort=0', /bad value '0' for Port=/],
  ] as const) {
    assert.throws(
      () => read(line),
      (error: Error) => error.message.startsWith(PATH) && message.test(error.message),
      line,
    );
  }
});

test('CVE-2026-40226: no path of a file beside the tree leads out of it', () => {
  for (const line of ['PivotRoot=/../../etc', 'PivotRoot=etc', 'PivotRoot=/a:/..', 'WorkingDirectory=/proc/1/root']) {
    assert.throws(() => read(`[Exec]\n${line}\n`, false), /bad value/, line);
  }
  assert.equal(read('[Exec]\nEphemeral=yes\n[Files]\nBindUser=root\n', false).settings, {});
});

test('an empty value takes back what the key has said, and nothing of another key', () => {
  assert.equal(fileSpec('[Exec]\nEnvironment=A=1\nEnvironment=\nEnvironment=B=2\n').env, [{ name: 'B', value: '2' }]);
  assert.is(fileSpec('[Exec]\nUser=joe\nUser=\n').user, undefined);
  const { mounts } = fileSpec('[Files]\nBind=/a:/b\nTemporaryFileSystem=/t\nBind=\n');
  assert.equal(
    mounts.map(({ kind }) => kind),
    ['tmpfs'],
  );
});

test('Parameters= alone has no effect, and says so', () => {
  const { settings, warnings } = read('[Exec]\nParameters=/bin/true\n');
  assert.equal(settings, {});
  assert.match(warnings.join(), /Parameters= has no effect without Boot= or ProcessTwo=/);
});

test('Boot= and ProcessTwo= exclude each other', () => {
  assert.throws(() => fileSpec('[Exec]\nBoot=yes\nProcessTwo=yes\n'), /exclude each other/);
});

test('any command masks how the file starts, and the command with it', () => {
  const { normal, override } = together(['true'], '[Exec]\nBoot=yes\nParameters=single\nUser=joe\n');
  assert.equal([normal.start, ...normal.command, normal.user], ['pid1', 'true', 'joe']);
  assert.equal([override.start, ...override.command], ['boot', 'single']);
  const booted = together(['-b'], '[Exec]\nProcessTwo=yes\nParameters=/bin/true\n');
  assert.equal([booted.normal.start, ...booted.normal.command], ['boot']);
  assert.equal([booted.override.start, ...booted.override.command], ['pid2', '/bin/true']);
});

test('one mount on the command line masks all of the file, and the other way round', () => {
  const { normal, override } = together(['--tmpfs=/t'], '[Files]\nBind=/a:/b\nInaccessible=/c\n');
  assert.equal(normal.mounts, spec('--tmpfs=/t').mounts);
  assert.equal(override.mounts, spec('--bind=/a:/b', '--inaccessible=/c').mounts);
});

test('one network option masks the network of the file, but not its ports', () => {
  const { normal, override } = together(['--private-network'], '[Network]\nVirtualEthernet=yes\nZone=z\nPort=80\n');
  assert.equal(normal.network, spec('--private-network', '-p80').network);
  assert.equal(override.network, spec('-n', '--network-zone=z', '-p80').network);
  assert.is(together(['-n'], '[Network]\nPrivate=no\n').override.network.private, false);
});

test('the options of users, and those of capabilities, count together', () => {
  const users = together(['-U'], '[Exec]\nPrivateUsers=65536\n[Files]\nPrivateUsersOwnership=chown\n');
  assert.equal([users.normal.users, users.normal.ownership], [spec('-U').users, 'auto']);
  assert.equal([users.override.users.mode, users.override.ownership], ['range', 'chown']);
  const { normal } = together(['--drop-capability=kill'], '[Exec]\nCapability=CAP_SYSLOG\n');
  assert.equal([normal.addCapabilities, normal.dropCapabilities], [[], ['kill']]);
});

test('each limit is a class of its own', () => {
  const { normal, override } = together(['--rlimit=NOFILE=10'], '[Exec]\nLimitNOFILE=20\nLimitCORE=30\n');
  assert.equal(normal.rlimits, { NOFILE: { soft: 10, hard: 10 }, CORE: { soft: 30, hard: 30 } });
  assert.equal(override.rlimits, { NOFILE: { soft: 20, hard: 20 }, CORE: { soft: 30, hard: 30 } });
});

test('variables of the command line mask all of the file', () => {
  const { normal, override } = together(['-EA=1'], '[Exec]\nEnvironment=B=2 A=3\n');
  assert.equal(normal.env, [{ name: 'A', value: '1' }]);
  assert.equal(override.env, spec('-EB=2', '-EA=3').env);
});

test('an option that no key can say stays beside --settings=override', () => {
  const { override } = together(['-D', 'tree', '-P', '--settings=override'], '[Exec]\nBoot=yes\n');
  assert.equal([override.directory, override.console, override.start], ['tree', 'pipe', 'boot']);
});

test.run();
