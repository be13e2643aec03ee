// What can be mounted into a guest, and roots that forget: each is as it was asked for, and nothing of it is left on the host.

import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { footprintOf, noProcessLeft, nothingLeft } from '../support/footprint';
import { eventually, tsnspawn } from '../support/launcher';
import { withMachine } from '../support/machines';
import { needs, only } from '../support/needs';
import { ownTree } from '../support/trees';

const missing = needs('root', 'namespaces');
const it = only(test, missing);
const tree = missing === undefined ? ownTree('busybox') : '';
const scratch = mkdtempSync(join(tmpdir(), 'tsnspawn-mounts-'));
process.on('exit', () => rmSync(scratch, { recursive: true, force: true }));

function run(script: string, ...options: string[]) {
  return tsnspawn(['-q', '-D', tree, '--pipe', ...options, 'sh', '-c', script]);
}

/** Output of a shell script in the guest. */
function sh(script: string, ...options: string[]): string {
  const { status, stdout, stderr } = run(script, ...options);
  assert.is(status, 0, `status ${status}: ${stdout}${stderr}`);
  return stdout;
}

function directory(name: string, files: { readonly [file: string]: string } = {}): string {
  const path = join(scratch, name);
  mkdirSync(path, { recursive: true });
  for (const [file, text] of Object.entries(files)) writeFileSync(join(path, file), text);
  return path;
}

/** What temporary layers have left, beside the tree and where others lie. */
const remains = () =>
  [dirname(tree), '/var/tmp']
    .flatMap((path) => readdirSync(path))
    .filter((name) => name.startsWith('.#tsnspawn.busybox'));

const both = ['', '-U'] as const; // each is to hold with a user namespace as well
const named = (users: string) => (users === '' ? '' : ', in a user namespace as well');

for (const users of both) {
  const options = users === '' ? [] : [users];

  it(`--ephemeral forgets every change, and takes each${named(users)}`, () => {
    const out = sh('echo new > /etc/new; rm /etc/passwd; mkdir -p /a/b/c; cat /etc/new', '-x', ...options);
    assert.is(out, 'new\n');
    assert.equal([existsSync(join(tree, 'etc/new')), existsSync(join(tree, 'etc/passwd'))], [false, true]);
    assert.equal(remains(), []);
  });

  it(`--volatile=overlay forgets every change${named(users)}`, () => {
    assert.is(sh('echo new > /forgotten; cat /forgotten', '--volatile=overlay', ...options), 'new\n');
    assert.not(existsSync(join(tree, 'forgotten')));
  });

  it(`--volatile=state keeps the tree read-only under an empty /var${named(users)}`, () => {
    const out = sh(
      'ls -A /var; touch /var/x && echo var; touch /etc/x 2>/dev/null || echo no',
      '--volatile=state',
      ...options,
    );
    assert.is(out, 'var\nno\n');
  });

  it(`--volatile starts with nothing but the /usr of the tree, read-only${named(users)}`, () => {
    const out = sh(
      'ls -A /etc /var; touch /x && stat -c %u / /x; touch /etc/x && echo etc; touch /usr/x 2>/dev/null || echo no',
      '--volatile',
      ...options,
    );
    assert.match(out, /\n0\n0\netc\nno\n$/);
    assert.not.match(out, /passwd/);
    assert.not(existsSync(join(tree, 'etc/x')));
  });

  it(`--overlay lays directories over each other, the rightmost on top, and writes to that one${named(users)}`, () => {
    const [low, mid, top] = [
      directory(`low${users}`, { a: 'low', b: 'low', c: 'low' }),
      directory(`mid${users}`, { b: 'mid', c: 'mid' }),
      directory(`top${users}`, { c: 'top' }),
    ];
    const out = sh('cat /o/a /o/b /o/c; rm -f /o/a && echo " removed"', `--overlay=${low}:${mid}:${top}:/o`);
    assert.is(out, 'lowmidtop removed\n');
    assert.is(readFileSync(join(low, 'a'), 'utf8'), 'low');
    assert.equal(
      readdirSync(dirname(top)).filter((name) => name.startsWith('.#')),
      [],
    );
    const lazy = `--overlay-ro=${low}:${mid}:/o`;
    assert.is(sh('cat /o/a /o/b; touch /o/x 2>/dev/null || echo no', lazy, ...options), 'lowmidno\n');
    // of two paths the second is the upper layer and the destination
    assert.is(sh(`cat ${mid}/a ${mid}/c; touch ${mid}/new`, `--overlay=${low}:${mid}`), 'lowmid');
    assert.ok(existsSync(join(mid, 'new')));
  });

  it(`--overlay with an empty upper layer forgets what is written${named(users)}`, () => {
    const low = directory('lower', { a: 'low' });
    assert.is(sh('echo x >> /o/a; cat /o/a', `--overlay=${low}::/o`), 'lowx\n');
    assert.is(readFileSync(join(low, 'a'), 'utf8'), 'low');
    assert.is(sh('touch /o/new; ls /o', '--overlay=+/etc::/o', ...options).includes('new'), true);
    assert.equal(remains(), []);
  });

  it(`--inaccessible covers what is there by nothing of the same kind${named(users)}`, () => {
    const out = sh(
      'stat -c "%F %a" /etc/passwd /home',
      '--inaccessible=/etc/passwd',
      '--inaccessible=/home',
      ...options,
    );
    assert.is(out, 'regular empty file 0\ndirectory 0\n');
  });

  it(`--tmpfs mounts an empty file system with the options that are given${named(users)}`, () => {
    assert.is(sh('ls -A /home; stat -c %a /home', '--tmpfs=/home', ...options), '755\n');
    assert.match(
      sh('grep " /mnt " /proc/self/mountinfo', '--tmpfs=/mnt:size=1m,mode=0700', ...options),
      /nodev.*size=1024k/,
    );
    // with options the mode is the kernel's
    assert.is(sh('stat -c %a /mnt', '--tmpfs=/mnt:size=1m', ...options), '1777\n');
  });

  it(`--bind without a source is a new directory that goes with the guest${named(users)}`, () => {
    assert.is(sh('ls -A /new; touch /new/file; stat -c "%a %u" /new', '--bind=:/new', ...options), '755 0\n');
    assert.equal(remains(), []);
  });

  it(`a recursive bind shows what is mounted below, read-only too where that is asked${named(users)}`, () => {
    const data = directory(`binds${users}`);
    mkdirSync(join(data, 'sub'), { recursive: true });
    execFileSync('mount', ['-t', 'tmpfs', 'below', join(data, 'sub')]);
    try {
      writeFileSync(join(data, 'sub/file'), 'below');
      assert.is(
        sh('cat /b/sub/file; touch /b/sub/x 2>/dev/null || echo no', `--bind-ro=${data}:/b`, ...options),
        'belowno\n',
      );
      assert.is(sh('ls -A /b/sub', `--bind=${data}:/b:norbind`, ...options), '');
    } finally {
      execFileSync('umount', [join(data, 'sub')]);
    }
  });

  it(`--pivot-root makes a directory of the tree the root, and shows the whole at the other place${named(users)}`, () => {
    const inner = join(tree, 'inner');
    mkdirSync(join(inner, 'old'), { recursive: true });
    for (const name of ['usr', 'bin', 'etc', 'lib', 'sbin']) {
      if (!existsSync(join(tree, name)) || existsSync(join(inner, name))) continue;
      execFileSync('cp', ['-a', join(tree, name), inner]);
    }
    writeFileSync(join(tree, 'outside'), '');
    try {
      const out = sh('ls -d /old/outside /outside 2>&1; ls /proc/1/exe', '--pivot-root=/inner:/old', ...options);
      assert.match(
        out,
        /^ls: \/outside: No such file or directory\n\/old\/outside\n|^\/old\/outside\n.*\/outside: No such/,
      );
      assert.match(
        sh('ls -A /old; ls -d /outside 2>&1 || true', '--pivot-root=/inner', ...options),
        /^ls: \/outside: No such/,
      );
    } finally {
      rmSync(inner, { recursive: true });
      rmSync(join(tree, 'outside'));
    }
  });
}

it('--pivot-root finds the system in the directory that becomes the root: its machine id, its init, and what it lacks', () => {
  const outer = directory('deployments', {});
  const deployed = join(outer, 'deploy/1');
  mkdirSync(dirname(deployed));
  execFileSync('cp', ['-a', tree, deployed]);
  mkdirSync(join(outer, 'deploy/none'));
  symlinkSync('/deploy/1', join(outer, 'current'));
  writeFileSync(join(deployed, 'etc/machine-id'), `${'3'.repeat(32)}\n`);
  const start = (...args: string[]) => tsnspawn(['-q', '-D', outer, '--pipe', ...args]);
  for (const root of ['/deploy/1', '/current']) {
    const { stdout } = start(`--pivot-root=${root}`, 'sh', '-c', 'echo $container_uuid; ls -d /deploy 2>&1');
    assert.match(stdout, /^3{8}-3{4}-3{4}-3{4}-3{12}\nls: /);
  }
  assert.match(start('--pivot-root=/deploy/1', '-b', '--dry-run').stdout, /\/sbin\/init/);
  assert.match(
    start('--pivot-root=/deploy/2', 'true').stderr,
    /^tsnspawn: --pivot-root: there is no directory \/deploy\/2 in /,
  );
  assert.match(start('--pivot-root=/deploy/none', 'true').stderr, /\/deploy\/none has no usr/);
  assert.match(start('true').stderr, /deployments has no usr/);
});

it('an ephemeral guest begins with an empty layer, whatever the size of the tree: nothing is copied', () =>
  withMachine(
    ['-q', '-x', '-D', tree, '--resolv-conf=off', '--timezone=off', 'sh', '-c', 'echo up; exec sleep 1000'],
    async (running) => {
      await running.until(/up/);
      const [layer = ''] = remains();
      const place = [dirname(tree), '/var/tmp'].map((path) => join(path, layer)).find((path) => existsSync(path)) ?? '';
      const files = execFileSync('find', [join(place, 'upper'), '!', '-type', 'd'], { encoding: 'utf8' });
      assert.is(files, '');
    },
  ));

it('the changes of an ephemeral guest are kept while it reboots', () =>
  withMachine(
    [
      '-q',
      '-x',
      '-D',
      tree,
      'sh',
      '-c',
      'if test -e /stays; then echo kept; exec sleep 1000; fi; touch /stays; reboot -f',
    ],
    async (running) => {
      await running.until(/kept/);
      const footprint = footprintOf(running);
      assert.is(remains().length, 1);
      process.kill(footprint.init, 'SIGKILL');
      await running.exited;
      await nothingLeft(footprint);
      assert.equal(remains(), []);
    },
  ));

it('two ephemeral guests of one tree run at once, under names of their own, and a third in the tree itself is refused', () =>
  withMachine(['-q', '-x', '-D', tree, 'sh', '-c', 'hostname; exec sleep 1000'], async (first) => {
    await first.until(/busybox-[0-9a-f]{16}\r/);
    assert.not.equal(sh('hostname', '-x').trim(), first.output.trim());
    assert.match(run('true').stderr, /busy/);
  }));

it('the layer of a guest whose launcher and monitor were both killed goes with the next start', () =>
  withMachine(['-q', '-x', '-D', tree, 'sh', '-c', 'echo up; exec sleep 1000'], async (running) => {
    await running.until(/up/);
    const footprint = footprintOf(running);
    const { launcher, monitor } = footprint;
    process.kill(launcher, 'SIGSTOP');
    process.kill(monitor, 'SIGKILL');
    process.kill(launcher, 'SIGKILL');
    await running.exited;
    await noProcessLeft(footprint);
    await eventually(() => remains().length === 1, 'one layer that nobody has');
    sh('true', '-x');
    assert.equal(remains(), []);
  }));

it('a layer that is not there is refused by its name before anything is made', () => {
  const { status, stderr } = run('true', `--overlay=${scratch}/none::/o`);
  assert.equal([status, /none.*No such file or directory/.test(stderr)], [1, true]);
  assert.match(run('true', '--inaccessible=/no/such/path').stderr, /\/no\/such\/path.*No such file/);
  assert.equal(remains(), []);
});

it('a link of the tree at the target of a mount ends inside the tree, of a layer and of a cover as well', () => {
  const outside = directory('outside');
  symlinkSync(outside, join(tree, 'trap'));
  try {
    for (const option of [`--tmpfs=/trap/t`, `--overlay=${directory('l')}::/trap/o`, '--bind=:/trap/b']) {
      sh('true', option);
      assert.equal(readdirSync(outside), [], option);
    }
    assert.match(run('true', '--overlay=+/trap::/o').stderr, /trap.*No such file or directory/);
  } finally {
    rmSync(join(tree, 'trap'));
    rmSync(join(tree, tmpdir().split('/')[1] as string, 'tsnspawn-mounts'), { recursive: true, force: true });
  }
});

it('--overlay follows a link to its writable layer, and refuses one that is a mount point', () => {
  const low = directory('lower-of-link');
  const top = directory('top-of-link');
  const link = join(scratch, 'link');
  symlinkSync(top, link);
  assert.is(sh('echo x > /o/new; echo done', `--overlay=${low}:${link}:/o`), 'done\n');
  assert.equal(
    [readFileSync(join(top, 'new'), 'utf8'), readdirSync(scratch).filter((name) => name.startsWith('.#'))],
    ['x\n', []],
  );
  execFileSync('mount', ['-t', 'tmpfs', 'none', top]);
  try {
    const { status, stderr } = run('echo x > /o/lost', `--overlay=${low}:${link}:/o`);
    assert.is(status, 1);
    assert.match(
      stderr,
      /^tsnspawn: --overlay: cannot lay .*top-of-link over \/o: it is a mount point\nhint: .*top-of-link\/upper\n$/,
    );
  } finally {
    execFileSync('umount', [top]);
  }
  assert.equal(readdirSync(top), ['new']);
});

it('more mounts than one launch can hold are refused', () => {
  const { status, stderr } = run('true', ...Array.from({ length: 300 }, () => '--bind-ro=/etc:/o'));
  assert.is(status, 1);
  assert.match(stderr, /^tsnspawn: more mounts are asked for than the 256 that one launch can hold\n/);
});

it('a tree on a read-only file system starts, and ephemeral it can be written to', () => {
  const lower = directory('ro');
  execFileSync('mount', ['--bind', tree, lower]);
  execFileSync('mount', ['-o', 'remount,bind,ro', lower]);
  try {
    const there = (...options: string[]) =>
      tsnspawn(['-q', '-D', lower, '--pipe', ...options, 'sh', '-c', 'touch /x 2>/dev/null && echo yes || echo no'])
        .stdout;
    assert.equal([there(), there('-x'), there('-x', '-U')], ['no\n', 'yes\n', 'yes\n']);
  } finally {
    execFileSync('umount', [lower]);
  }
  assert.ok(statSync(tree).isDirectory());
});

test.run();
