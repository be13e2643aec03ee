// The answers of the doctor, from facts about hosts that this one is not.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Mount, parseMountinfo, visibilityOf } from '@tsnspawn/core';
import {
  type Diagnosis,
  type DoctorFacts,
  diagnosisOf,
  freeFrom,
  parseSubordinate,
  parseTrials,
} from '@tsnspawn/runtime';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { diagnosisAsJson, renderDiagnosis } from '../../packages/cli/src/render/diagnosis';
import { containerOf } from '../../packages/runtime/src/doctor/container';
import { TRIALS, type TrialName } from '../../packages/runtime/src/doctor/trials';

/** Of a host where nothing is in the way. */
const MOUNTS = `27 1 254:0 / / rw - ext4 /dev/vda rw
22 27 0:21 / /proc rw,relatime - proc proc rw
23 27 0:22 / /sys rw,relatime - sysfs sysfs rw
31 22 0:28 / /proc/sys/fs/binfmt_misc rw - binfmt_misc none rw
32 23 0:29 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw`;

/** As Docker mounts it. */
const DOCKER = `500 400 0:50 / / rw - overlay overlay rw
501 500 0:51 / /proc rw,nosuid - proc proc rw
502 500 0:52 / /sys ro,nosuid - sysfs sysfs ro
510 501 0:51 /bus /proc/bus ro,nosuid - proc proc rw
511 501 0:51 /sys /proc/sys ro,nosuid - proc proc rw
512 501 0:53 / /proc/acpi ro - tmpfs tmpfs ro
513 501 0:54 /null /proc/kcore rw - tmpfs tmpfs rw
514 502 0:55 / /sys/firmware ro - tmpfs tmpfs ro
515 502 0:56 / /sys/fs/cgroup ro - cgroup2 cgroup rw`;

const GOOD = Object.fromEntries(TRIALS.map((name) => [name, 'OK'])) as DoctorFacts['trials'];

interface Changes extends Partial<Omit<DoctorFacts, 'trials' | 'caller'>> {
  /** errnos of the trials that fail; null: not reached */
  readonly trials?: { readonly [name in TrialName]?: string | null };
  readonly caller?: Partial<DoctorFacts['caller']>;
}

/** An ordinary user of a Debian host that allows everything. */
function facts({ trials = {}, caller = {}, ...changes }: Changes = {}): DoctorFacts {
  const tried = Object.entries({ ...GOOD, ...trials }).filter(([, errno]) => errno !== null);
  return {
    caller: {
      uid: 1000,
      gid: 1000,
      name: 'joe',
      capabilities: [],
      initialUserNamespace: true,
      noNewPrivileges: false,
      filtered: false,
      chrooted: false,
      ...caller,
    },
    osRelease: { id: 'debian' },
    ids: { kind: 'mapped', size: 65537, subordinate: { uids: 65536, gids: 65536 }, free: 165536 },
    helpers: {
      newuidmap: { path: '/usr/bin/newuidmap', privileged: true, nosuid: false },
      newgidmap: { path: '/usr/bin/newgidmap', privileged: true, nosuid: false },
    },
    map: { works: true, said: '' },
    sysctl: { 'user/max_user_namespaces': '60000' },
    selinux: false,
    trials: Object.fromEntries(tried) as DoctorFacts['trials'],
    mounts: parseMountinfo(MOUNTS),
    cgroup: { path: '/sys/fs/cgroup/joe', version: 2, controllers: ['cpu', 'memory', 'pids'] },
    systemd: { booted: true },
    programs: { pasta: '/usr/bin/pasta', usermod: '/usr/sbin/usermod' },
    tun: 'open',
    place: { path: '/home/joe', fs: 'ext4', readOnly: false },
    executable: '/usr/bin/node',
    ...changes,
  };
}

const DOCKER_RUN =
  'docker run --security-opt seccomp=unconfined --security-opt apparmor=unconfined --security-opt systempaths=unconfined ...';

const ONE_ID = { kind: 'single', size: 1, subordinate: { uids: 0, gids: 0 }, free: 165536 } as const;

function check(key: string, { checks }: Diagnosis) {
  const found = checks.find((one) => one.key === key);
  assert.ok(found, `no check ${key}`);
  return found as NonNullable<typeof found>;
}

/** Trials that are not reached without user namespaces. */
const BEHIND = Object.fromEntries(TRIALS.slice(TRIALS.indexOf('map')).map((name) => [name, null]));

const covers = (text: string, fs: 'proc' | 'sysfs') => visibilityOf(parseMountinfo(text), fs).covers;

test('a host where nothing is in the way is told so: every answer is yes, and a user has all ids', () => {
  const diagnosis = diagnosisOf(facts());
  assert.equal(
    diagnosis.checks.filter(({ answer }) => answer !== 'yes'),
    [],
  );
  assert.equal([diagnosis.mode, diagnosis.ids, diagnosis.missing], ['user', 65537, []]);
  assert.is(diagnosis.summary, 'as a user with 65537 ids');
});

test('a trial that went well is OK, another one has its errno; what has no line was not reached', () => {
  assert.equal(parseTrials('user 0\nproc 1\noverlay 22\nnonsense\n'), { user: 'OK', proc: 'EPERM', overlay: 'EINVAL' });
});

test('subordinate ids are those of lines of three fields, and free is what lies behind them all', () => {
  const ranges = parseSubordinate('# comment\njoe:100000:65536\n1001:165536:70000\nbroken:x:1\nshort:1\n');
  assert.equal(
    ranges.map(({ owner, first, size }) => [owner, first, size]),
    [
      ['joe', 100000, 65536],
      ['1001', 165536, 70000],
    ],
  );
  assert.is(freeFrom(ranges), 100000 + 65536 * 3);
  assert.is(freeFrom([]), 100000);
});

test('what is mounted over parts of proc and sysfs covers them, but not what is mounted on places made for that', () => {
  assert.equal(covers(MOUNTS, 'proc'), []);
  assert.equal(covers(MOUNTS, 'sysfs'), []);
  assert.equal(covers(DOCKER, 'proc'), ['/proc/acpi', '/proc/bus', '/proc/kcore', '/proc/sys']);
  assert.equal(covers(DOCKER, 'sysfs'), ['/sys/firmware']);
});

test('one proc that can be seen in full is enough, wherever it is', () => {
  const other = '600 500 0:60 / /mnt/proc rw - proc proc rw';
  assert.equal(covers(`${DOCKER}\n${other}`, 'proc'), []);
  assert.is(visibilityOf([], 'proc').mounted, false);
  const part: Mount[] = parseMountinfo('510 501 0:51 /bus /proc/bus ro - proc proc rw');
  assert.is(visibilityOf(part, 'proc').mounted, false);
});

test('each way in which a user namespace is refused has its reason, and its command', () => {
  const cases: readonly (readonly [Changes, RegExp, string | undefined])[] = [
    [
      { trials: { user: 'ENOSPC' }, sysctl: { 'user/max_user_namespaces': '0' } },
      /user\.max_user_namespaces is 0/,
      'sudo sysctl -w user.max_user_namespaces=15000',
    ],
    [{ trials: { user: 'ENOSPC' } }, /limit .* is reached/, 'sudo sysctl -w user.max_user_namespaces=15000'],
    [
      { trials: { user: 'EPERM' }, sysctl: { 'kernel/unprivileged_userns_clone': '0' } },
      /unprivileged_userns_clone is 0/,
      'sudo sysctl -w kernel.unprivileged_userns_clone=1',
    ],
    [{ trials: { user: 'EPERM' }, caller: { chrooted: true } }, /chroot/, undefined],
    [
      { trials: { user: 'EPERM' }, caller: { filtered: true }, container: 'docker' },
      /what docker allows, or a seccomp filter/,
      DOCKER_RUN,
    ],
    [{ trials: { user: 'EACCES' }, selinux: true }, /Permission denied: the SELinux policy/, undefined],
    [{ trials: { user: 'ENOSYS' }, caller: { filtered: true } }, /hidden: a seccomp filter/, undefined],
    [{ trials: { user: 'EINVAL' } }, /CONFIG_USER_NS/, undefined],
  ];
  for (const [{ trials, ...changes }, detail, mend] of cases) {
    const diagnosis = diagnosisOf(facts({ ...changes, trials: { ...BEHIND, ...trials } }));
    const found = check('user-namespaces', diagnosis);
    assert.is(found.answer, 'no');
    assert.match(found.detail, detail);
    assert.is(found.mend?.[0], mend);
    assert.is(diagnosis.mode, 'ptrace');
    assert.match(diagnosis.summary, detail);
  }
});

test('where AppArmor lets a user namespace be made and nothing be done in it, a profile mends that', () => {
  const diagnosis = diagnosisOf(
    facts({
      sysctl: { 'kernel/apparmor_restrict_unprivileged_userns': '1' },
      trials: { ...BEHIND, map: 'OK', mounts: 'EPERM' },
    }),
  );
  assert.is(check('user-namespaces', diagnosis).answer, 'yes');
  const { answer, detail, mend = [] } = check('mounts', diagnosis);
  assert.is(answer, 'no');
  assert.match(detail, /AppArmor gives no capabilities/);
  assert.match(
    mend[0] ?? '',
    /profile tsnspawn \/usr\/bin\/node flags=\(unconfined\) \{ userns, \}.*apparmor_parser -r/,
  );
  assert.is(mend[1], 'sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0');
});

test('a proc that is refused names what covers it, and what docker or podman would have to be told', () => {
  const docker = { trials: { proc: 'EPERM', reboot: 'OK' }, mounts: parseMountinfo(DOCKER) } as const;
  const diagnosis = diagnosisOf(facts({ ...docker, container: 'docker' }));
  const { detail, mend } = check('proc', diagnosis);
  assert.is(detail, 'refused while /proc/acpi, /proc/bus, /proc/kcore and /proc/sys are covered by other mounts');
  assert.equal(mend, [DOCKER_RUN]);
  assert.equal([diagnosis.mode, diagnosis.missing], ['ptrace', ['proc']]);
  assert.equal(check('proc', diagnosisOf(facts({ ...docker, container: 'podman' }))).mend, [
    'podman run --security-opt seccomp=unconfined --security-opt label=disable --security-opt unmask=ALL ...',
  ]);
  assert.equal(check('proc', diagnosisOf(facts(docker))).mend, [
    'sudo umount /proc/acpi /proc/bus /proc/kcore /proc/sys',
  ]);
});

test('a user without subordinate ids has one id, which costs something and can be mended', () => {
  const diagnosis = diagnosisOf(facts({ ids: ONE_ID, map: undefined }));
  const { answer, cost, mend } = check('subordinate-ids', diagnosis);
  assert.is(answer, 'no');
  assert.match(cost ?? '', /remembered/);
  assert.equal(mend, ['sudo usermod --add-subuids 165536-231071 --add-subgids 165536-231071 joe']);
  assert.equal([diagnosis.mode, diagnosis.summary], ['user-one-id', 'as a user with one id, owners are remembered']);
  assert.is(check('map-helpers', diagnosis).detail, 'they are there, and have nothing to map');
  const nameless = diagnosisOf(facts({ ids: ONE_ID, map: undefined, caller: { name: undefined } }));
  assert.equal(check('subordinate-ids', nameless).mend, [
    'echo 1000:165536:65536 | sudo tee -a /etc/subuid /etc/subgid',
  ]);
});

test('where owners cannot be remembered either, the last line says why', () => {
  const diagnosis = diagnosisOf(facts({ ids: ONE_ID, map: undefined, trials: { notification: 'EBUSY' } }));
  assert.match(check('notification', diagnosis).detail, /a listener is there already/);
  assert.match(diagnosis.summary, /^as a user with one id, owners cannot be remembered \(a listener/);
});

test('newuidmap that does not map says whose fault it is; the launch goes on with one id', () => {
  const path = '/usr/bin/newuidmap';
  const newgidmap = { path: '/usr/bin/newgidmap', privileged: true, nosuid: false };
  const map = { works: false, said: 'newuidmap: write to uid_map failed: Operation not permitted' };
  const cases: readonly (readonly [Changes, RegExp, RegExp | undefined])[] = [
    [{ map, caller: { noNewPrivileges: true } }, /no_new_privs.*: newuidmap: write to uid_map failed/, undefined],
    [
      { map, helpers: { newuidmap: { path, privileged: true, nosuid: true }, newgidmap } },
      /mounted nosuid/,
      /^sudo mount -o remount,suid /,
    ],
    [
      { map, helpers: { newuidmap: { path, privileged: false, nosuid: false }, newgidmap } },
      /\/usr\/bin\/newuidmap neither set-id nor with file capabilities/,
      /^sudo chmod u\+s \/usr\/bin\/newuidmap$/,
    ],
    [{ map: undefined, helpers: {} }, /newuidmap and newgidmap not found/, /^sudo apt install uidmap$/],
    [{ map: undefined, helpers: {}, osRelease: { id: 'fedora' } }, /not found/, /^sudo dnf install shadow-utils$/],
    [{ map: undefined, helpers: {}, osRelease: { idLike: 'suse x' } }, /not found/, /^sudo zypper install shadow$/],
  ];
  for (const [changes, detail, mend] of cases) {
    const diagnosis = diagnosisOf(facts(changes));
    const found = check('map-helpers', diagnosis);
    assert.match(found.detail, detail);
    if (mend === undefined) assert.is(found.mend?.length ?? 0, 0);
    else assert.match(found.mend?.[0] ?? '', mend);
    assert.is(diagnosis.mode, 'user-one-id');
  }
});

test('root of the host is told about no ids and no user namespaces that it needs', () => {
  const ids = { kind: 'root', size: 65536, subordinate: { uids: 0, gids: 0 }, free: 100000 } as const;
  const diagnosis = diagnosisOf(
    facts({ ids, caller: { uid: 0, gid: 0, name: 'root' }, trials: { user: 'ENOSPC', map: null } }),
  );
  assert.equal([diagnosis.mode, diagnosis.summary], ['root', 'as root']);
  assert.is(check('user-namespaces', diagnosis).cost, '--private-users (-U) is refused');
  // who is root needs no sudo
  assert.equal(check('user-namespaces', diagnosis).mend, ['sysctl -w user.max_user_namespaces=15000']);
});

test('an overlay that the kernel refuses, everywhere or on one file system, and who takes its place', () => {
  const look = (changes: Changes) => check('overlay', diagnosisOf(facts(changes)));
  const nowhere = look({ trials: { overlay: 'EPERM' } });
  assert.equal([nowhere.answer, nowhere.mend], ['no', ['sudo apt install fuse-overlayfs']]);
  const onDisk = look({ trials: { overlayOnDisk: 'EINVAL' } });
  assert.is(onDisk.answer, 'partly');
  assert.match(
    onDisk.detail,
    /^the kernel takes no writable layer on ext4 here: Invalid argument; fuse-overlayfs is not/,
  );
  const programs = { 'fuse-overlayfs': '/usr/bin/fuse-overlayfs' };
  const served = look({ programs, trials: { overlay: 'EPERM' } });
  assert.equal(
    [served.answer, served.detail],
    [
      'yes',
      'by fuse-overlayfs where the kernel does not, which is slower; the kernel refuses: Operation not permitted',
    ],
  );
  const old = look({ trials: { memoryAttributes: 'EOPNOTSUPP' } });
  assert.is(old.answer, 'partly');
  assert.match(old.cost ?? '', /cannot make a directory where it has removed one/);
  assert.is(look({ programs, trials: { memoryAttributes: 'EOPNOTSUPP' } }).answer, 'yes');
  assert.is(look({ programs, trials: { overlay: 'EPERM', fuseDevice: 'EACCES', fuse: null } }).answer, 'no');
});

test('a cgroup that cannot be written is no matter where the user has a systemd; else it says what to do', () => {
  const cgroup = { path: '/sys/fs/cgroup/x', version: 2, controllers: [], refusal: 'permission denied' } as const;
  const mended = (systemd: Partial<DoctorFacts['systemd']>, delegation?: string) =>
    diagnosisOf(facts({ cgroup: { ...cgroup, delegation }, systemd: { booted: true, ...systemd } }));
  assert.is(check('cgroup', mended({})).answer, 'yes');
  const silent = mended({ userManager: 'it does not run' });
  assert.is(check('cgroup', silent).answer, 'no');
  assert.equal(check('user-manager', silent).mend, ['sudo loginctl enable-linger joe']);
  const without = mended({ userManager: 'busctl is not installed', booted: false }, 'sudo sh -c "mkdir ..."');
  assert.equal(check('cgroup', without).mend, ['sudo sh -c "mkdir ..."']);
});

test('a cgroup of the caller whose mount is read-only costs the limits alone', () => {
  const cgroup = {
    path: '/sys/fs/cgroup',
    version: 2,
    controllers: [],
    refusal: 'read-only file system',
    anew: true,
  } as const;
  const { answer, cost } = check('cgroup', diagnosisOf(facts({ cgroup, systemd: { booted: false } })));
  assert.equal([answer, cost], ['partly', 'limits (--property) are refused']);
});

test('containers are known by their marks', () => {
  const marks = { dockerFile: false, podmanFile: false, lxcFile: false, kubernetes: false, kernel: '6.1.0-amd64' };
  assert.is(containerOf(marks), undefined);
  assert.is(containerOf({ ...marks, dockerFile: true }), 'docker');
  assert.is(containerOf({ ...marks, dockerFile: true, kubernetes: true }), 'kubernetes');
  assert.is(containerOf({ ...marks, podmanFile: true, variable: 'podman' }), 'podman');
  assert.is(containerOf({ ...marks, variable: 'lxc' }), 'lxc');
  assert.is(containerOf({ ...marks, variable: 'systemd-nspawn', manager: 'tsnspawn' }), 'tsnspawn');
  assert.is(containerOf({ ...marks, variable: 'systemd-nspawn' }), 'systemd-nspawn');
  assert.is(containerOf({ ...marks, variable: 'oci' }), 'another container');
  assert.is(containerOf({ ...marks, kernel: '5.15.167.4-microsoft-standard-WSL2' }), 'wsl');
});

test('the text has an answer at the start of each line, what is lost and what mends it below; the last line is the mode', () => {
  const text = renderDiagnosis(diagnosisOf(facts({ ids: ONE_ID, map: undefined })), 200);
  assert.match(
    text,
    /^caller +joe \(1000:1000\), no capabilities, in the user namespace of the host, in no container\n\n/,
  );
  assert.match(text, /\nno {6}subordinate ids +none in .* for joe \(1000\)\n +lost: .*\n +mend: sudo usermod /);
  assert.match(text, /\nyes {5}proc +PID namespace, proc\n/);
  assert.match(text, /\n\nA launch now: as a user with one id, owners are remembered\n$/);
});

test('a network of a user’s takes a program and /dev/net/tun, and each has its command', () => {
  const network = (changes: Changes) => check('network', diagnosisOf(facts(changes)));
  assert.equal([network({}).answer, network({}).detail], ['yes', 'pasta']);
  assert.equal(network({ programs: {} }).mend, ['sudo apt install passt']);
  assert.match(network({ tun: 'denied' }).detail, /\/dev\/net\/tun cannot be opened/);
  assert.equal(network({ tun: 'denied' }).mend, ['sudo chmod 666 /dev/net/tun']);
  assert.equal(network({ tun: 'missing' }).mend, ['sudo modprobe tun']);
  assert.equal(network({ tun: 'missing', container: 'docker' }).mend, ['docker run --device /dev/net/tun ...']);
});

test('what was not reached is one entry of the text, and the last line is what is left', () => {
  const text = renderDiagnosis(
    diagnosisOf(facts({ map: undefined, trials: { ...BEHIND, user: 'EPERM', tracing: 'EPERM' } })),
    400,
  );
  assert.match(text, /\n- {7}not reached +map helpers, mounts, mount api, proc, .*, network\n/);
  assert.is(text.match(/could not be tried/), null);
  assert.match(
    text,
    /\nA launch now: not possible \(user namespaces: Operation not permitted: [^;]*\)\nWhat is left: trees can be made .*\n$/,
  );
});

test('no line of the text is wider than the terminal, but for commands', () => {
  const text = renderDiagnosis(diagnosisOf(facts({ ids: ONE_ID, trials: { ...BEHIND, user: 'EPERM' } })), 80);
  for (const line of text.split('\n')) assert.ok(line.length <= 80 || line.includes('mend: '), line);
});

test('a launch does not read what the doctor knows', () => {
  const bundle = (name: string): string => readFileSync(join('packages/cli/dist', name), 'utf8');
  const words = 'unprivileged_userns_clone';
  assert.equal([bundle('tsnspawn.cjs').includes(words), bundle('refusal.cjs').includes(words)], [false, true]);
});

test('the keys of the JSON are those that programs know', () => {
  const json = JSON.parse(diagnosisAsJson(diagnosisOf(facts({ ids: ONE_ID, map: undefined }))));
  assert.equal(Object.keys(json), ['mode', 'ids', 'summary', 'missing', 'caller', 'checks']);
  assert.equal(Object.keys(json.checks), [
    ...['subordinate-ids', 'map-helpers', 'user-namespaces', 'mounts', 'mount-api', 'proc', 'namespaces', 'reboot'],
    ...['devices', 'sysfs', 'mqueue', 'overlay', 'mapped-owners', 'fuse', 'attributes', 'system-calls'],
    ...['memory-files', 'notification', 'tracing', 'cgroup', 'user-manager', 'network'],
  ]);
  assert.equal(Object.keys(json.checks['subordinate-ids']), ['question', 'needed', 'answer', 'detail', 'cost', 'mend']);
  assert.is(json.caller.container, null);
  const none = JSON.parse(diagnosisAsJson(diagnosisOf(facts({ trials: { ...BEHIND, user: 'EPERM' } }))));
  assert.equal(Object.keys(none), ['mode', 'ids', 'summary', 'missing', 'caller', 'checks']);
  const covered = JSON.parse(diagnosisAsJson(diagnosisOf(facts({ trials: { proc: 'EPERM', tracing: 'EPERM' } }))));
  assert.equal(Object.keys(covered), ['mode', 'ids', 'summary', 'missing', 'left', 'caller', 'checks']);
  assert.equal([none.checks.proc.answer, none.checks.proc.untried], ['no', true]);
});

test.run();
