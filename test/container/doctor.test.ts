// The doctor's answers are those of the kernel: each is compared with what a launch by the same user meets on the same host.

import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { hostMounts } from '../support/footprint';
import { tsnspawn } from '../support/launcher';
import { needs, only } from '../support/needs';
import { type Host, withMounts, withUsers } from '../support/refusing';
import { ownTree } from '../support/trees';
import { OrdinaryUser } from '../support/users';

const REASON = needs('root', 'namespaces', 'command:newuidmap', 'command:setpriv', 'command:unshare', 'command:gcc');
const it = only(test, REASON);
const itWithAttributes = only(test, REASON ?? needs('command:python3'));
const scratch = mkdtempSync(join(tmpdir(), 'tsnspawn-doctor-'));
process.on('exit', () => rmSync(scratch, { recursive: true, force: true }));

interface Person {
  readonly user: OrdinaryUser;
  readonly tree: string;
}

const people = new Map<boolean, Person>();
/** A user with or without subordinate ids, and a tree that is theirs: made at the first call. */
function person(subordinate: boolean): Person {
  const known = people.get(subordinate);
  if (known !== undefined) return known;
  const user = new OrdinaryUser({ subordinate });
  const made = { user, tree: user.tree('busybox') };
  people.set(subordinate, made);
  return made;
}

/** What the doctor says on a host, once it is sure that a launch there goes as it says. */
function diagnosis({ user, tree }: Person, host: Host = []) {
  const { status, stdout, stderr } = user.tsnspawn(['doctor', '--json'], { host });
  assert.is(stderr, '');
  const said = JSON.parse(stdout);
  assert.is(status, said.mode === 'none' ? 1 : 0);
  const launched = user.tsnspawn(['-qPD', tree, 'cat', '/proc/self/uid_map'], { host });
  assert.is(launched.status, said.mode === 'none' ? 1 : 0, launched.stderr);
  // without namespaces it is the map of the host
  if (said.mode !== 'none' && said.mode !== 'ptrace') {
    const sizes = [...launched.stdout.matchAll(/(\d+)$/gm)].map(([, size]) => Number(size));
    assert.is(
      sizes.reduce((sum, size) => sum + size, 0),
      said.ids,
      launched.stdout,
    );
  }
  return said;
}

/** The worded answer of one check. */
function answer(said: ReturnType<typeof diagnosis>, key: string): string {
  const { answer: short, detail } = said.checks[key];
  return `${short}: ${detail}`;
}

it('a user with subordinate ids has them all', () => {
  const said = diagnosis(person(true));
  assert.equal([said.mode, said.ids], ['user', 65537]);
  assert.is(answer(said, 'map-helpers'), 'yes: a map of 65537 ids, tried');
});

it('a user without any has one id', () => {
  const { user } = person(false);
  const said = diagnosis(person(false));
  assert.equal([said.mode, said.ids], ['user-one-id', 1]);
  assert.match(answer(said, 'subordinate-ids'), new RegExp(`^no: none in .* for ${user.name} \\(${user.uid}\\)$`));
  assert.match(
    said.checks['subordinate-ids'].mend[0],
    new RegExp(`^sudo usermod --add-subuids \\d+-\\d+ .* ${user.name}$`),
  );
});

it('a host that hands them out by a service is asked through getsubids', () => {
  const { user } = person(false);
  const script = join(scratch, 'getsubids');
  writeFileSync(
    script,
    '#!/bin/sh\n[ "$1" = -g ] && set -- "$2" 700000 || set -- "$1" 600000\necho "0: $1 $2 65536"\n',
  );
  chmodSync(script, 0o755);
  writeFileSync(join(scratch, 'nsswitch.conf'), 'passwd: files\nsubid: sss\n');
  const bind = (name: string, path: string) => `touch ${path}; mount --bind ${join(scratch, name)} ${path}`;
  const host = withMounts(`${bind('getsubids', '/usr/bin/getsubids')}; ${bind('nsswitch.conf', '/etc/nsswitch.conf')}`);
  const plan = JSON.parse(user.tsnspawn(['-D', person(false).tree, '--dry-run=json', 'true'], { host }).stdout);
  assert.equal(
    [plan.clone.maps.uids[1], plan.clone.maps.gids[1]],
    [600000, 700000].map((outside) => ({ inside: 1, outside, size: 65536 })),
  );
  const said = JSON.parse(user.tsnspawn(['doctor', '--json'], { host }).stdout);
  assert.is(answer(said, 'subordinate-ids'), 'yes: 65536 users and 65536 groups from sss (subid in nsswitch.conf)');
});

it('root needs none', () => {
  const { status, stdout } = tsnspawn(['doctor', '--json']);
  assert.is(status, 0);
  assert.is(JSON.parse(stdout).mode, 'root');
});

it('newuidmap that is not there, is not set-id, or may not be: the launch has one id, and the doctor says why', () => {
  const plain = join(scratch, 'newuidmap');
  cpSync('/usr/bin/newuidmap', plain);
  chmodSync(plain, 0o755);
  const cases: readonly (readonly [Host, RegExp])[] = [
    [withMounts('mount --bind /dev/null /usr/bin/newuidmap'), /^no: newuidmap not found in PATH$/],
    [
      withMounts(`mount --bind ${plain} /usr/bin/newuidmap`),
      /^no: \/usr\/bin\/newuidmap neither set-id nor .*: newuidmap: /,
    ],
    [
      withMounts('mount --bind /usr/bin /usr/bin; mount -o remount,bind,nosuid /usr/bin'),
      /^no: the file system of \/usr\/bin\/newuidmap is mounted nosuid: newuidmap: /,
    ],
    [['setpriv', '--no-new-privs', '--'], /^no: the caller may gain no privileges .*: newuidmap: /],
  ];
  for (const [host, expected] of cases) {
    const said = diagnosis(person(true), host);
    assert.is(said.mode, 'user-one-id');
    assert.match(answer(said, 'map-helpers'), expected);
  }
});

it('user.max_user_namespaces=0 is named, with the command that raises it', () => {
  const said = diagnosis(person(true), withUsers('echo 0 >/proc/sys/user/max_user_namespaces'));
  assert.equal([said.mode, said.ids], ['ptrace', 1]);
  assert.is(answer(said, 'user-namespaces'), 'no: user.max_user_namespaces is 0');
  assert.equal(said.checks['user-namespaces'].mend, ['sudo sysctl -w user.max_user_namespaces=15000']);
  assert.match(said.summary, /^with the engine ptrace \(user namespaces: user\.max_user_namespaces is 0\)$/);
});

it('a /proc that is partly covered refuses a new one, and what covers it is named', () => {
  const host = withMounts('mount -t tmpfs none /proc/acpi; mount --bind /proc/sys /proc/sys');
  const said = diagnosis(person(true), host);
  assert.is(said.mode, 'ptrace');
  assert.is(answer(said, 'proc'), 'no: refused while /proc/acpi and /proc/sys are covered by other mounts');
});

it('a mount on a place of /proc that is made for mounts covers nothing', () => {
  const said = diagnosis(person(true), withMounts('mount -t tmpfs none /proc/sys/fs/binfmt_misc'));
  assert.equal([said.mode, answer(said, 'proc')], ['user', 'yes: PID namespace, proc']);
});

it('root of a user namespace around has what that has', () => {
  const { user } = person(true);
  const { status, stdout } = user.run(['unshare', '-Ur', ...user.command, 'doctor', '--json']);
  const said = JSON.parse(stdout);
  assert.equal([status, said.mode, said.ids, said.caller.initialUserNamespace], [0, 'user-one-id', 1, false]);
});

it('a tree is the user’s, or somebody else’s', () => {
  const { user, tree } = person(true);
  const own = JSON.parse(user.tsnspawn(['doctor', '--json', tree]).stdout).tree;
  assert.equal([own.answer, own.owner, own.remembers], ['yes', { uid: user.uid, gid: user.gid }, false]);
  const others = join(scratch, 'others');
  mkdirSync(others);
  chmodSync(scratch, 0o755);
  const { detail } = JSON.parse(user.tsnspawn(['doctor', '--json', others]).stdout).tree;
  assert.is(detail, 'it belongs to 0:0, who would be nobody in the guest');
  const { status, stderr } = user.tsnspawn(['doctor', '/none']);
  assert.equal([status, stderr], [1, 'tsnspawn: cannot open /none: No such file or directory\n']);
});

itWithAttributes('a tree that remembers its owners is known by its mark', () => {
  const { user, tree } = person(false);
  const mark = (call: string): void => void execFileSync('python3', ['-c', `import os, sys; os.${call}`, tree]);
  mark('setxattr(sys.argv[1], "user.rootlesscontainers", b"")');
  const said = JSON.parse(user.tsnspawn(['doctor', '--json', tree]).stdout).tree;
  mark('removexattr(sys.argv[1], "user.rootlesscontainers")');
  assert.equal([said.remembers, said.answer], [true, 'yes']);
});

it('inside of Docker without privileges it says so, and what is left there does work', () => {
  const { user } = person(true);
  const hides = join(scratch, 'hides');
  execFileSync('gcc', ['-static', '-O1', '-o', hides, 'test/support/hides.c']);
  const kept = ['chown', 'dac_override', 'fowner', 'fsetid', 'kill', 'setgid', 'setuid', 'setpcap', 'mknod', 'setfcap'];
  const docker = (allowed: boolean): string[] => [
    ...withMounts('mount -t tmpfs none /proc/acpi'),
    ...(allowed ? [] : [hides, '-clone,-unshare,clone3']),
    ...['setpriv', `--bounding-set=-all,${kept.map((name) => `+${name}`).join(',')}`, '--inh-caps=-all', '--'],
  ];
  const run = (allowed: boolean, ...args: string[]) => {
    const [program = '', ...words] = [...docker(allowed), ...user.command, ...args];
    return spawnSync(program, words, { cwd: scratch, encoding: 'utf8', timeout: 60_000 });
  };
  const forbidden = JSON.parse(run(false, 'doctor', '--json').stdout);
  assert.equal([forbidden.mode, forbidden.caller.filtered, forbidden.missing[0]], ['ptrace', true, 'user-namespaces']);
  assert.is(run(false, 'bootstrap', '--variant=host', 'host', join(scratch, 'made')).status, 0);
  const traced = run(false, '-PD', join(scratch, 'made'), 'id', '-u');
  assert.equal([traced.status, traced.stdout], [0, '0\n']);
  assert.match(traced.stderr, /going on with the engine ptrace/);
  // with the filter gone, what is mounted over /proc is next
  const covered = JSON.parse(run(true, 'doctor', '--json').stdout);
  assert.equal([covered.mode, covered.missing], ['ptrace', ['proc']]);
  const without = run(true, '-PD', join(scratch, 'made'), 'id', '-u');
  assert.equal([without.status, without.stdout], [0, '0\n'], without.stderr);
  assert.match(without.stderr, /^tsnspawn: warning: cannot mount proc.*going on with the engine ptrace.*\n$/);
  const named = run(true, '--engine=namespaces', '-PD', join(scratch, 'made'), 'id', '-u');
  assert.equal([named.status, named.stdout], [1, '']);
  assert.match(named.stderr, /^tsnspawn: cannot mount proc/);
});

it('root that has no more than its ids writes its own maps, and has to have the capability for that', () => {
  const { user, tree } = person(true);
  const run = (capabilities: string, ...args: string[]) => {
    const as = [`--bounding-set=-all,${capabilities}`, '--inh-caps=-all', '--', ...user.command];
    return spawnSync('setpriv', [...as, ...args], { encoding: 'utf8', timeout: 60_000 });
  };
  const few = '+setuid,+setgid,+chown,+dac_override,+fowner';
  const said = JSON.parse(run(`${few},+setfcap`, 'doctor', '--json').stdout);
  assert.equal([said.mode, said.ids], ['user', 65536]);
  assert.match(run(`${few},+setfcap`, '-qPD', tree, 'cat', '/proc/self/uid_map').stdout, /^ *0 +0 +65536\n$/);
  assert.match(answer(JSON.parse(run(few, 'doctor', '--json').stdout), 'user-namespaces'), /CAP_SETFCAP/);
  const { status, stderr } = run(few, '-qPD', tree, '--engine=namespaces', 'true');
  assert.is(status, 1);
  assert.match(stderr, /\nhint: made one, but root of the namespace around needs CAP_SETFCAP/);
});

it('a directory that the caller may not enter is not asked about, and one that is gone is told', () => {
  const { user } = person(true);
  const { status, stdout } = user.tsnspawn(['doctor', '--json'], { cwd: '/root' });
  assert.equal([status, JSON.parse(stdout).mode], [0, 'user']);
  const words = user.command.map((word) => `'${word}'`).join(' ');
  const gone = user.run(['sh', '-c', `mkdir gone; cd gone; rmdir ../gone; exec ${words} doctor`]);
  assert.equal(
    [gone.status, gone.stderr],
    [1, 'tsnspawn: the working directory has been removed\nhint: cd to one that is there\n'],
  );
});

it('in a directory that others can write to it makes none: they might lead it astray', () => {
  const { user } = person(true);
  const detail = (said: string): string => JSON.parse(said).checks.overlay.detail;
  const tried = /the writable layer in memory, and on \w+ here$/;
  assert.match(detail(user.tsnspawn(['doctor', '--json']).stdout), tried);
  assert.match(detail(tsnspawn(['doctor', '--json', user.home]).stdout), /not tried on the disk/);
  user.run(['mkdir', '-m', '777', 'open']);
  assert.match(detail(user.tsnspawn(['doctor', '--json', 'open']).stdout), /not tried on the disk/);
});

it('nothing of what was tried stays', () => {
  const { user } = person(true);
  const before = [hostMounts(), readdirSync(user.home).sort()];
  assert.is(user.tsnspawn(['doctor']).status, 0);
  assert.equal([hostMounts(), readdirSync(user.home).sort()], before);
  const tree = ownTree('busybox');
  const inTree = readdirSync(tree).sort();
  assert.is(tsnspawn(['doctor', tree]).status, 0);
  assert.equal(readdirSync(tree).sort(), inTree);
});

it('in a guest it says that it is in one, and what is left there', () => {
  const { user, tree } = person(true);
  const [node = '', ...script] = user.command;
  const binds = ['/usr', '/lib', '/lib64', '/etc/passwd'].map((path) => `--bind-ro=${path}`);
  const guest = ['-qPD', tree, ...binds, `--bind-ro=${user.home}`, node, ...script, 'doctor', '--json'];
  const { stdout, stderr } = user.tsnspawn(guest);
  const said = JSON.parse(stdout || `"${stderr}"`);
  assert.equal([said.caller.container, said.caller.uid, said.mode], ['tsnspawn', 0, 'ptrace']);
  assert.match(answer(said, 'proc'), /^no: refused while .*\/proc\/sys.* are covered by other mounts$/);
  assert.equal(said.checks.proc.mend, ['SYSTEMD_NSPAWN_API_VFS_WRITABLE=yes tsnspawn ...']);
});

test.run();
