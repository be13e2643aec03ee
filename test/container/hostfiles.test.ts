// Name servers and time zone: what a guest finds, and what is left in the tree.

import { execFileSync } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Outcome, tsnspawn } from '../support/launcher';
import { needs, only } from '../support/needs';
import { ownTree } from '../support/trees';

const it = only(test, needs('root', 'namespaces'));
const itWithZones = only(test, needs('root', 'namespaces', 'zone'));
const itWithSetpriv = only(test, needs('root', 'namespaces', 'command:setpriv'));
const tree = needs('root', 'namespaces') === undefined ? ownTree('busybox', 'files') : '';
const resolv = join(tree, 'etc/resolv.conf');
const localtime = join(tree, 'etc/localtime');
const HOST = readFileSync('/etc/resolv.conf');

/** The tree with something in the place of a file, as the test wants it. */
function given(path: string, put?: (path: string) => void): void {
  rmSync(path, { recursive: true, force: true });
  put?.(path);
}

function run(...args: string[]): Outcome {
  const outcome = tsnspawn(['-q', '-D', tree, '--pipe', ...args], { timeout: 20 });
  assert.is(outcome.status, 0, outcome.stderr);
  return outcome;
}

const cat = (...options: string[]) => run(...options, 'cat', '/etc/resolv.conf').stdout;

it('by default the guest asks the name servers of the host', () => {
  for (const put of [undefined, (path: string) => writeFileSync(path, 'nameserver 192.0.2.1\nmore\n')]) {
    given(resolv, put);
    const { stdout, stderr } = run('cat', '/etc/resolv.conf');
    assert.equal([stdout, stderr], [HOST.toString(), '']);
    assert.equal(readFileSync(resolv), HOST);
  }
});

it('a file that says the same already is not written again', () => {
  given(resolv, (path) => writeFileSync(path, HOST));
  const before = statSync(resolv, { bigint: true });
  run('true');
  const after = statSync(resolv, { bigint: true });
  assert.equal([after.ino, after.mtimeNs, after.ctimeNs], [before.ino, before.mtimeNs, before.ctimeNs]);
});

it('by default a symbolic link of the tree stays, and what it leads to is not written', () => {
  given(resolv, (path) => symlinkSync('../run/systemd/resolve/stub-resolv.conf', path));
  run('true');
  assert.is(readlinkSync(resolv), '../run/systemd/resolve/stub-resolv.conf');
  given(join(tree, 'srv/target'), (path) => {
    mkdirSync(join(tree, 'srv'), { recursive: true });
    writeFileSync(path, 'mine\n');
  });
  given(resolv, (path) => symlinkSync('/srv/target', path));
  assert.is(cat('--resolv-conf=copy-host'), 'mine\n');
  given(join(tree, 'srv/target'));
});

it('by default a read-only tree gets the file bound, and its own stays', () => {
  given(resolv, (path) => writeFileSync(path, 'mine\n'));
  assert.is(cat('--read-only'), HOST.toString());
  assert.is(readFileSync(resolv, 'utf8'), 'mine\n');
  const mount = run('--read-only', 'grep', ' /etc/resolv.conf ', '/proc/self/mountinfo').stdout;
  assert.match(mount, / \/etc\/resolv\.conf ro,nosuid,nodev/);
});

it('by default a read-only tree with a symbolic link keeps it', () => {
  given(resolv, (path) => symlinkSync('../run/systemd/resolve/stub-resolv.conf', path));
  assert.is(run('--read-only', 'readlink', '/etc/resolv.conf').stdout, '../run/systemd/resolve/stub-resolv.conf\n');
});

it('by default a read-only tree without the file starts without one', () => {
  given(resolv);
  assert.is(run('--read-only', 'sh', '-c', 'test -e /etc/resolv.conf || echo none').stdout, 'none\n');
});

it('by default a network of its own leaves the file alone', () => {
  given(resolv, (path) => writeFileSync(path, 'mine\n'));
  assert.is(cat('--private-network'), 'mine\n');
});

it('replace takes the place of a file, a link and an empty directory, with mode 0644', () => {
  for (const put of [
    (path: string) => writeFileSync(path, 'mine\n', { mode: 0o600 }),
    (path: string) => symlinkSync('/nowhere', path),
    (path: string) => mkdirSync(path),
  ]) {
    given(resolv, put);
    assert.is(cat('--resolv-conf=replace-host'), HOST.toString());
    const status = lstatSync(resolv);
    assert.ok(status.isFile());
    assert.is(status.mode & 0o777, 0o644);
  }
  assert.is(execFileSync('find', [join(tree, 'etc'), '-name', '.#*'], { encoding: 'utf8' }), '');
});

it('bind shows the file of the host, over the link that the tree has', () => {
  given(resolv, (path) => symlinkSync('/nowhere', path));
  assert.is(cat('--resolv-conf=bind-host'), HOST.toString());
  assert.is(readlinkSync(resolv), '/nowhere');
  assert.not.ok(existsSync(join(tree, 'nowhere')));
  given(resolv);
  assert.is(cat('--resolv-conf=bind-host'), HOST.toString());
  assert.is(statSync(resolv).size, 0);
});

it('off and delete', () => {
  given(resolv, (path) => writeFileSync(path, 'mine\n'));
  assert.is(cat('--resolv-conf=off'), 'mine\n');
  assert.is(run('--resolv-conf=delete', 'sh', '-c', 'test -e /etc/resolv.conf || echo gone').stdout, 'gone\n');
  assert.not.ok(existsSync(resolv));
  run('--resolv-conf=delete', 'true');
});

it('a file that the host does not have is told, and the guest starts', () => {
  given(resolv, (path) => writeFileSync(path, 'mine\n'));
  if (existsSync('/run/systemd/resolve/resolv.conf')) return; // then it is no matter of warnings
  const { stdout, stderr } = tsnspawn(['-D', tree, '--pipe', '--resolv-conf=copy-uplink', 'cat', '/etc/resolv.conf']);
  assert.is(stdout, 'mine\n');
  assert.match(
    stderr,
    /^tsnspawn: warning: --resolv-conf=copy-uplink: \/run\/systemd\/resolve\/resolv\.conf of the host cannot be read/m,
  );
});

it('what cannot be written although it was asked for by name ends the launch, with the reason', () => {
  given(resolv, (path) => mkdirSync(join(path, 'full'), { recursive: true }));
  for (const mode of ['copy-host', 'replace-host', 'delete']) {
    const { status, stderr } = tsnspawn(['-q', '-D', tree, `--resolv-conf=${mode}`, 'true']);
    assert.is(status, 1, mode);
    assert.match(stderr, /^tsnspawn: cannot (write|remove) \/etc\/resolv\.conf.*: .*[Dd]irectory/, mode);
  }
  assert.ok(existsSync(join(resolv, 'full')));
  assert.is(tsnspawn(['-q', '-D', tree, 'true']).status, 0);
  given(resolv);
});

it('with a user namespace the file belongs to the root of the guest', () => {
  given(resolv);
  const { stdout } = run('--private-users=pick', 'stat', '-c', '%u:%g %a', '/etc/resolv.conf', '/etc/localtime');
  assert.match(stdout, /^0:0 644\n/);
  const shifted = ['--private-users=pick', '--resolv-conf=replace-host', '--timezone=copy'];
  assert.is(
    run(...shifted, 'stat', '-c', '%u:%g %a', '/etc/resolv.conf', '/etc/localtime').stdout,
    '0:0 644\n0:0 644\n',
  );
});

itWithZones('the time zone is a link where the tree has it, made once', () => {
  const zone = readlinkSync('/etc/localtime').replace(/^.*\/usr\/share\/zoneinfo\//, '');
  const place = join(tree, 'usr/share/zoneinfo', zone);
  mkdirSync(join(place, '..'), { recursive: true });
  writeFileSync(place, readFileSync('/etc/localtime'));
  for (const put of [undefined, (path: string) => symlinkSync('/usr/share/zoneinfo/Other', path)]) {
    given(localtime, put);
    run('true');
    assert.is(readlinkSync(localtime), `../usr/share/zoneinfo/${zone}`);
  }
  for (const text of [`/usr/share/zoneinfo/${zone}`, `../usr/share/zoneinfo/${zone}`]) {
    given(localtime, (path) => symlinkSync(text, path));
    const before = lstatSync(localtime).ino;
    run('true');
    assert.equal([readlinkSync(localtime), lstatSync(localtime).ino], [text, before]);
  }
  rmSync(join(tree, 'usr/share/zoneinfo'), { recursive: true });
});

itWithZones('a tree without the time zone gets the file of the host bound', () => {
  given(localtime);
  const { stdout } = run('sh', '-c', 'grep " /etc/localtime " /proc/self/mountinfo; cmp -s /etc/localtime /zone; :');
  assert.match(stdout, / \/etc\/localtime ro,nosuid,nodev/);
});

itWithZones('--timezone=bind and symlink cover a link that leads to a zone which the tree has not', () => {
  given(localtime, (path) => symlinkSync('../usr/share/zoneinfo/Other', path));
  for (const mode of ['bind', 'symlink', 'auto']) {
    const { stdout } = run(`--timezone=${mode}`, 'sh', '-c', 'grep -c " /etc/localtime " /proc/self/mountinfo; :');
    assert.is(stdout, mode === 'auto' ? '0\n' : '1\n', mode);
  }
  assert.is(readlinkSync(localtime), '../usr/share/zoneinfo/Other');
});

it('--timezone=copy, delete and off', () => {
  given(localtime, (path) => symlinkSync('/usr/share/zoneinfo/Other', path));
  if (existsSync('/etc/localtime')) {
    run('--timezone=copy', 'true');
    assert.ok(lstatSync(localtime).isFile());
    assert.equal(readFileSync(localtime), readFileSync('/etc/localtime'));
  }
  run('--timezone=delete', 'true');
  assert.not.ok(existsSync(localtime));
  run('--timezone=off', 'true');
  assert.not.ok(existsSync(localtime));
});

it('what the user mounts at /etc/resolv.conf is neither covered nor written', () => {
  const own = join(tree, 'own');
  writeFileSync(own, 'own\n');
  assert.is(cat(`--bind=${own}:/etc/resolv.conf`), 'own\n');
  assert.is(readFileSync(own, 'utf8'), 'own\n');
  rmSync(own);
});

it('--proc=read-only: nothing below /proc can be written, and the oom score was set before', () => {
  const { stdout } = run(
    '--proc=read-only',
    '--oom-score-adjust=7',
    'sh',
    '-c',
    'cat /proc/self/oom_score_adj; echo 9 2>/dev/null >/proc/self/oom_score_adj || echo refused; echo x >/proc/self/comm || echo refused',
  );
  assert.is(stdout, '7\nrefused\nrefused\n');
  assert.match(run('--proc=read-only', '-U', 'grep', ' /proc ', '/proc/self/mountinfo').stdout, / \/proc ro,/);
});

it('SYSTEMD_NSPAWN_API_VFS_WRITABLE=yes lets the guest write to /proc/sys and /sys', () => {
  const outcome = tsnspawn(['-q', '-D', tree, '--pipe', 'grep', '-E', ' /(proc/sys|sys) ', '/proc/self/mountinfo'], {
    env: { SYSTEMD_NSPAWN_API_VFS_WRITABLE: 'yes' },
  });
  assert.match(outcome.stdout, /^[^\n]* \/sys rw,[^\n]*\n$/);
});

itWithSetpriv('without CAP_MKNOD the devices are those of the host', () => {
  const command = join(process.cwd(), 'node_modules/.bin/tsnspawn');
  const script =
    'for n in null zero full random urandom tty; do stat -c "%n %F %t:%T" /dev/$n; done; echo x >/dev/null && echo written; grep -c " /dev/null " /proc/self/mountinfo';
  for (const users of [[], ['--private-users=pick']]) {
    const out = execFileSync(
      'setpriv',
      ['--bounding-set=-mknod', '--inh-caps=-all', command, '-q', '-D', tree, '--pipe', ...users, 'sh', '-c', script],
      { encoding: 'utf8', timeout: 20_000 },
    );
    assert.is(
      out,
      [
        '/dev/null character special file 1:3',
        '/dev/zero character special file 1:5',
        '/dev/full character special file 1:7',
        '/dev/random character special file 1:8',
        '/dev/urandom character special file 1:9',
        '/dev/tty character special file 5:0',
        'written',
        '1',
        '',
      ].join('\n'),
    );
  }
});

test.run();
