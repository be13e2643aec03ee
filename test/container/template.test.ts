// Trees that are made or looked for when a machine starts: --template, NAME.v/, and the machines of the host.

import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { eventually, tsnspawn } from '../support/launcher';
import { withMachine } from '../support/machines';
import { needs, only } from '../support/needs';
import { ownTree } from '../support/trees';

const missing = needs('root', 'namespaces');
const it = only(test, missing);
const template = missing === undefined ? ownTree('busybox', 'template') : '';
const home = dirname(template);

/** A place for a tree, which is removed at the end of the body with all that lies beside it. */
function withPlace<T>(body: (directory: string) => T): T {
  const parent = mkdtempSync(join(home, 'place-'));
  const remove = (): void => rmSync(parent, { recursive: true, force: true });
  try {
    const result = body(join(parent, 'made'));
    if (result instanceof Promise) return result.finally(remove) as T;
    remove();
    return result;
  } catch (error) {
    remove();
    throw error;
  }
}

const from = (directory: string, ...rest: string[]) =>
  tsnspawn(['-D', directory, `--template=${template}`, '--pipe', ...rest]);

it('a tree that does not exist is made from the template, and used as it is the next time', () =>
  withPlace((directory) => {
    const first = from(directory, 'sh', '-c', 'hostname; echo mine > /mine');
    assert.is(first.stdout, 'made\n');
    assert.match(first.stderr, new RegExp(`^Populated ${directory} from template ${template}\\.$`, 'm'));
    const second = from(directory, 'cat', '/mine');
    assert.is(second.stdout, 'mine\n');
    assert.match(second.stderr, /already exists, not populating from template/);
    assert.not(existsSync(join(template, 'mine')));
    assert.equal(readdirSync(dirname(directory)), ['made']);
  }));

it('modes, owners, times, links, devices and extended attributes are those of the template', () =>
  withPlace((directory) => {
    const special = join(template, 'special');
    mkdirSync(special);
    try {
      writeFileSync(join(special, 'file'), 'text');
      chownSync(join(special, 'file'), 1234, 4321);
      chmodSync(join(special, 'file'), 0o4755);
      linkSync(join(special, 'file'), join(special, 'hard'));
      symlinkSync('/nowhere', join(special, 'link'));
      execFileSync('mkfifo', [join(special, 'fifo')]);
      execFileSync('mknod', [join(special, 'null'), 'c', '1', '3']);
      execFileSync('touch', ['-d', '2001-01-01', join(special, 'file')]);
      const attribute = 'import os,sys; os.setxattr(sys.argv[1], "trusted.mark", b"x")';
      const canMark = spawnable('python3', ['-c', attribute, join(special, 'file')]);
      assert.is(from(directory, 'true').status, 0);
      const made = join(directory, 'special');
      const file = statSync(join(made, 'file'));
      assert.equal([file.mode & 0o7777, file.uid, file.gid, file.mtime.getFullYear()], [0o4755, 1234, 4321, 2001]);
      assert.is(statSync(join(made, 'hard')).ino, file.ino);
      assert.ok(lstatSync(join(made, 'link')).isSymbolicLink());
      assert.ok(lstatSync(join(made, 'fifo')).isFIFO());
      assert.is(lstatSync(join(made, 'null')).rdev, 0x103);
      if (canMark) {
        const read = 'import os,sys; print(os.getxattr(sys.argv[1], "trusted.mark").decode())';
        assert.is(execFileSync('python3', ['-c', read, join(made, 'file')], { encoding: 'utf8' }), 'x\n');
      }
    } finally {
      rmSync(special, { recursive: true });
    }
  }));

function spawnable(file: string, args: readonly string[]): boolean {
  try {
    execFileSync(file, args, { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

it('what is mounted below the template stays behind', () =>
  withPlace((directory) => {
    const mount = join(template, 'mnt');
    mkdirSync(mount, { recursive: true });
    execFileSync('mount', ['-t', 'tmpfs', 'none', mount]);
    try {
      writeFileSync(join(mount, 'mounted'), '');
      assert.is(from(directory, 'true').status, 0);
      assert.equal(readdirSync(join(directory, 'mnt')), []);
    } finally {
      execFileSync('umount', [mount]);
    }
  }));

it('nothing is left when the tree cannot be made, and nothing is made when it could not be started', () =>
  withPlace((directory) => {
    const parent = dirname(directory);
    for (const [argv, message] of [
      [['-D', directory, `--template=${template}/usr`], /has no usr/],
      [['-D', directory, '--template=/no/such/tree'], /there is no template/],
      [['-D', directory, `--template=${template}/etc/passwd`], /not a directory|no directory/i],
      [['-D', directory, `--template=${template}`, '--bind=/no/such:/x'], /cannot bind/],
      [['-D', directory, `--template=${template}`, '--bogus'], /unknown option/],
      [['-D', join(parent, 'no/such'), `--template=${template}`], /there is no directory/],
      [['-D', join(template, 'inside'), `--template=${template}`], /lie in the template itself/],
      [['-x', '-D', directory, `--template=${template}`], /exclude each other/],
    ] as const) {
      const { status, stderr } = tsnspawn(['-q', ...argv, 'true']);
      assert.is(status, 1, stderr);
      assert.match(stderr, message);
      assert.equal(readdirSync(parent), []);
    }
    assert.not(existsSync(join(template, 'inside')));
  }));

it('a signal during the copy ends the launch and removes the copy', () =>
  withPlace(async (directory) => {
    const big = join(template, 'big');
    execFileSync('sh', [
      '-c',
      `mkdir '${big}' && for i in 1 2 3 4 5 6 7 8 9; do head -c 30000000 /dev/urandom > '${big}'/$i; done`,
    ]);
    try {
      await withMachine(['-q', '-D', directory, `--template=${template}`, 'true'], async (running) => {
        const parent = dirname(directory);
        await eventually(() => readdirSync(parent).length > 0, 'the copy has begun');
        running.child.kill('SIGTERM');
        assert.equal(await running.exited, { status: 1, signal: null });
        assert.match(running.output, /ended by SIGTERM/);
        assert.equal(readdirSync(parent), []);
      });
    } finally {
      rmSync(big, { recursive: true });
    }
  }));

it('a copy that a killed launch has left is removed by the next one', () =>
  withPlace((directory) => {
    const left = join(dirname(directory), '.#tsnspawn.made-abcdef');
    mkdirSync(join(left, 'tree'), { recursive: true });
    assert.is(from(directory, 'true').status, 0);
    assert.equal(readdirSync(dirname(directory)), ['made']);
  }));

it('with -M the tree is made among the machines of the host', () => {
  const machine = `tsnspawn-test-${process.pid}`;
  const made = join('/var/lib/machines', machine);
  const had = existsSync('/var/lib/machines');
  mkdirSync('/var/lib/machines', { recursive: true, mode: 0o700 });
  try {
    assert.is(tsnspawn(['-q', '-M', machine, `--template=${template}`, '-P', 'hostname']).stdout, `${machine}\n`);
    assert.ok(existsSync(made));
    assert.is(tsnspawn(['-q', '-M', machine, '-P', 'hostname']).stdout, `${machine}\n`);
  } finally {
    rmSync(made, { recursive: true, force: true });
    if (!had) rmSync('/var/lib/machines', { recursive: true });
  }
});

it('-M looks in /etc, /run, /var/lib, /usr/local/lib and /usr/lib, in this order', () => {
  const machine = `tsnspawn-test-${process.pid}`;
  const places = ['/etc', '/run', '/var/lib', '/usr/local/lib', '/usr/lib'].map((path) => join(path, 'machines'));
  const made: string[] = [];
  try {
    for (const place of places.reverse()) {
      const first = mkdirSync(place, { recursive: true });
      if (first !== undefined) made.push(first);
      const link = join(place, machine);
      const tree = join(home, `tree-of${place.replaceAll('/', '-')}`);
      execFileSync('cp', ['-a', template, tree]);
      symlinkSync(tree, link);
      made.push(link, tree);
      writeFileSync(join(tree, 'place'), place);
      assert.is(tsnspawn(['-q', '-M', machine, '-P', 'cat', '/place']).stdout, place);
    }
  } finally {
    for (const path of made.reverse()) rmSync(path, { recursive: true, force: true });
  }
});

it('a directory NAME.v stands for the newest version in it, with -D, -M and --template', () =>
  withPlace((directory) => {
    const versions = join(dirname(directory), 'm.v');
    mkdirSync(versions);
    for (const version of ['1.9', '1.10', '2_arm64', '3+0-3']) {
      const tree = join(versions, `m_${version}`);
      execFileSync('cp', ['-a', template, tree]);
      writeFileSync(join(tree, 'version'), version);
    }
    const local = process.arch === 'arm64' ? '2_arm64' : '1.10';
    for (const path of [versions, `${versions}/`, join(versions, 'm___')]) {
      assert.is(tsnspawn(['-q', '-D', path, '-P', 'cat', '/version']).stdout, local);
    }
    const made = tsnspawn(['-q', '-D', directory, `--template=${versions}`, '-P', 'cat', '/version']);
    assert.is(made.stdout, local, made.stderr);
    const empty = join(dirname(directory), 'n.v');
    renameSync(versions, empty);
    assert.match(tsnspawn(['-q', '-D', empty, 'true']).stderr, /there is no version of n for this machine/);
  }));

it('a tree is known to the guest by the name under which it was made', () =>
  withPlace((directory) => {
    assert.is(from(directory, 'hostname').stdout, `${basename(directory)}\n`);
    assert.not(readFileSync(join(directory, 'etc/passwd'), 'utf8') === '');
  }));

test.run();
