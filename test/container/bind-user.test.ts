// --bind-user: a user of the host in the guest, with home and password, and without more of the host than these.

import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Outcome, quoted, TSNSPAWN } from '../support/launcher';
import { needs, only } from '../support/needs';
import { ownTree } from '../support/trees';

const missing = needs('root', 'namespaces', 'command:unshare');
const it = only(test, missing);
const tree = missing === undefined ? ownTree('busybox', 'users') : '';
const place = mkdtempSync(join(tmpdir(), 'tsnspawn-users-'));
process.on('exit', () => rmSync(place, { recursive: true, force: true }));
chmodSync(place, 0o755);

const UID = 4242;
const HASH = '$y$j9T$saltsalt$hash';

/** Files of a host that has the user zoe; they cover the real ones in a mount namespace of the test's own. */
function hostFile(name: string, line: string): string {
  const path = join(place, name);
  writeFileSync(path, `${readFileSync(join('/etc', name), 'utf8')}${line}\n`);
  return `mount --bind ${path} /etc/${name}`;
}

if (missing === undefined) {
  for (const home of ['zoe', 'lea']) {
    const path = join(place, home);
    spawnSync('mkdir', ['-p', path]);
    writeFileSync(join(path, 'letter'), `of ${home}\n`, { mode: 0o600 });
    for (const file of [path, join(path, 'letter')]) chownSync(file, UID, UID);
  }
}

function run(options: readonly string[], ...command: string[]): Outcome {
  const script = [
    hostFile(
      'passwd',
      `zoe:x:${UID}:${UID}:Zoe:${place}/zoe:/bin/ash\nlea:x:${UID + 1}:100::${place}/lea:/bin/sh\nlost:x:5000:5000::/nowhere/at/all:/bin/sh\nrootless:x:5001:5001::/:/bin/sh`,
    ),
    hostFile('shadow', `zoe:${HASH}:19000:0:99999:7:::\nlea:!:19000:0:99999:7:::`),
    `exec ${[TSNSPAWN, '-q', '-D', tree, '--pipe', '--timezone=off', ...options, '--', ...command].map(quoted).join(' ')}`,
  ].join('\n');
  const { status, stdout, stderr } = spawnSync('unshare', ['-m', 'sh', '-ec', script], {
    encoding: 'utf8',
    timeout: 30_000,
    input: '',
  });
  return { status, stdout, stderr };
}

const USERS = '--private-users=pick';

function sh(script: string, ...options: string[]): string {
  const { status, stdout, stderr } = run([USERS, ...options], 'sh', '-c', script);
  assert.is(status, 0, stderr);
  return stdout;
}

it('the records are those of systemd-nspawn, found by name and by id', () => {
  const records = JSON.parse(
    `[${sh('cd /run/host/userdb; cat zoe.user; echo ,; cat 60514.group; echo ,; cat 60514.user-privileged', '--bind-user=zoe')}]`,
  );
  assert.equal(records, [
    {
      userName: 'zoe',
      uid: 60514,
      gid: 60514,
      homeDirectory: '/run/host/home/zoe',
      service: 'io.systemd.NSpawn',
    },
    { groupName: 'zoe', gid: 60514, service: 'io.systemd.NSpawn' },
    { privileged: { hashedPassword: [HASH] } },
  ]);
});

it('only the root of the guest sees the hash, and nobody writes to the records', () => {
  const script =
    'cd /run/host/userdb; stat -c "%a %u %n" zoe.user zoe.group zoe.user-privileged; touch x 2>/dev/null || echo refused';
  assert.is(sh(script, '--bind-user=zoe'), '644 0 zoe.user\n644 0 zoe.group\n600 0 zoe.user-privileged\nrefused\n');
});

it('a user who cannot log in by password brings none', () => {
  assert.is(sh('cd /run/host/userdb; echo *privileged', '--bind-user=lea'), '*privileged\n');
});

it('the home belongs to the user inside, and what is made there to the user outside', () => {
  const script = 'cd /run/host/home/zoe; stat -c "%u:%g %a" . letter; id -u; cat letter; touch made';
  const outcome = run([USERS, '--bind-user=zoe', '-u', 'zoe'], 'sh', '-c', script);
  assert.is(outcome.status, 0, outcome.stderr);
  assert.is(outcome.stdout, '60514:60514 755\n60514:60514 600\n60514\nof zoe\n');
  const { uid, gid } = statSync(join(place, 'zoe/made'));
  assert.equal([uid, gid], [UID, UID]);
  rmSync(join(place, 'zoe/made'));
});

it('the root of the guest can make nothing in the home that would be root on the host', () => {
  assert.is(sh('touch /run/host/home/zoe/made 2>/dev/null || echo refused', '--bind-user=zoe'), 'refused\n');
  assert.not.ok(existsSync(join(place, 'zoe/made')));
});

it('the payload can run as the user, also where the guest knows no records', () => {
  const { stdout } = run([USERS, '--bind-user=zoe', '-u', 'zoe'], 'sh', '-c', 'echo $HOME $USER $LOGNAME; id -G');
  assert.is(stdout, '/run/host/home/zoe zoe zoe\n60514\n');
});

it('without a command the shell of the user starts in the home, where --bind-user-shell says so', () => {
  const start = (...options: string[]) => {
    const script = run([USERS, '--bind-user=zoe', '-u', 'zoe', ...options]);
    assert.is(script.status, 0, script.stderr);
  };
  start();
  start('--bind-user-shell=yes');
  start('--bind-user-shell=/bin/sh');
  assert.match(sh('cat /run/host/userdb/zoe.user', '--bind-user=zoe', '--bind-user-shell=yes'), /"shell":"\/bin\/ash"/);
  assert.match(
    sh('cat /run/host/userdb/zoe.user', '--bind-user=zoe', '--bind-user-shell=/bin/x'),
    /"shell":"\/bin\/x"/,
  );
  assert.not.match(sh('cat /run/host/userdb/zoe.user', '--bind-user=zoe', '--bind-user-shell=no'), /shell/);
});

it('--bind-user-group makes the users members of groups of the guest', () => {
  const script = 'cd /run/host/userdb; echo *.membership; test -s zoe:tty.membership; cat zoe.user';
  const out = sh(script, '--bind-user=zoe', '--bind-user-group=wheel,tty');
  assert.match(out, /^zoe:tty\.membership zoe:wheel\.membership\n/);
  assert.match(out, /"memberOf":\["wheel","tty"\]/);
  const group = readFileSync(join(tree, 'etc/group'), 'utf8');
  writeFileSync(join(tree, 'etc/group'), `${group}wheel:x:77:\n`);
  const { stdout } = run([USERS, '--bind-user=zoe', '--bind-user-group=wheel', '-u', 'zoe'], 'id', '-G');
  assert.is(stdout, '60514 77\n');
  writeFileSync(join(tree, 'etc/group'), group);
});

it('several users get an id each, one that the tree has not', () => {
  const passwd = readFileSync(join(tree, 'etc/passwd'), 'utf8');
  writeFileSync(join(tree, 'etc/passwd'), `${passwd}other:x:60514:60514::/:/bin/sh\n`);
  assert.is(sh('cd /run/host/home; stat -c "%u %n" *', '--bind-user=zoe', '--bind-user=lea'), '65534 lea\n60515 zoe\n');
  writeFileSync(join(tree, 'etc/passwd'), passwd);
});

for (const [what, options, message] of [
  ['a user that the host does not have', ['--bind-user=nobodyatall'], /--bind-user=nobodyatall: there is no user/],
  ['root', ['--bind-user=root'], /--bind-user=root: .*root of its own/],
  ['nobody', ['--bind-user=nobody'], /--bind-user=nobody: .*of its own/],
  ['a user with / as home', ['--bind-user=rootless'], /--bind-user=rootless: .*no home/],
  ['a home that is not there', ['--bind-user=lost'], /\/nowhere\/at\/all.*No such file/],
  ['a shell without users', ['--bind-user-shell=yes'], /--bind-user-shell=yes needs --bind-user/],
  ['groups without users', ['--bind-user-group=a'], /--bind-user-group=a needs --bind-user/],
] as const) {
  it(`${what} is refused before anything has begun`, () => {
    const { status, stderr } = run([USERS, ...options], 'true');
    assert.is(status, 1);
    assert.match(stderr, message);
  });
}

it('a user that the tree has already is refused, and so is one without a user namespace', () => {
  const passwd = readFileSync(join(tree, 'etc/passwd'), 'utf8');
  writeFileSync(join(tree, 'etc/passwd'), `${passwd}zoe:x:1000:1000::/:/bin/sh\n`);
  assert.match(run([USERS, '--bind-user=zoe'], 'true').stderr, /--bind-user=zoe: .*the tree has a user zoe already/);
  writeFileSync(join(tree, 'etc/passwd'), passwd);
  assert.match(run(['--bind-user=zoe'], 'true').stderr, /--bind-user=zoe needs a user namespace/);
});

test.run();
