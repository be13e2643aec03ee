// Settings files as they are found: which one counts, whom it trusts, and what a hostile one beside the tree can do.

import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { tsnspawn } from '../support/launcher';
import { needs, only } from '../support/needs';
import { ownTree } from '../support/trees';

const missing = needs('root', 'namespaces');
const it = only(test, missing);
const machine = `settings-test-${process.pid}`;
const tree = missing === undefined ? ownTree('busybox', machine) : '';
const BESIDE = `${tree}.nspawn`;
const ETC = `/etc/systemd/nspawn/${machine}.nspawn`;
const RUN = `/run/systemd/nspawn/${machine}.nspawn`;

/** Runs with these files, which are gone afterwards. */
function withFiles<T>(files: { readonly [path: string]: string }, body: () => T): T {
  const made: string[] = [];
  try {
    for (const [path, text] of Object.entries(files)) {
      const first = mkdirSync(dirname(path), { recursive: true });
      if (first !== undefined) made.push(first);
      made.push(path);
      writeFileSync(path, text);
    }
    return body();
  } finally {
    for (const path of made.reverse()) rmSync(path, { recursive: true, force: true });
  }
}

const shows = (variable: string, ...options: string[]) =>
  tsnspawn(['-q', '-D', tree, '--pipe', ...options, '/bin/sh', '-c', `echo "$${variable}"`]);

const says = (value: string) => `[Exec]\nEnvironment=FROM=${value}\n`;

it('a file of the administrator counts before one that lies beside the tree, /etc before /run', () => {
  const files = { [ETC]: says('etc'), [RUN]: says('run'), [BESIDE]: says('beside') };
  withFiles(files, () => assert.is(shows('FROM').stdout, 'etc\n'));
  withFiles({ [RUN]: says('run'), [BESIDE]: says('beside') }, () => assert.is(shows('FROM').stdout, 'run\n'));
  withFiles({ [BESIDE]: says('beside') }, () => assert.is(shows('FROM').stdout, 'beside\n'));
});

it('/dev/null in /etc hides the file that lies beside the tree', () => {
  withFiles({ [ETC]: '', [BESIDE]: says('beside') }, () => {
    rmSync(ETC);
    symlinkSync('/dev/null', ETC);
    assert.is(shows('FROM').stdout, '\n');
  });
});

it('the name of the machine is that of the file: with -M another one', () => {
  withFiles({ [ETC]: says('etc') }, () => {
    assert.is(shows('FROM', '-M', 'other').stdout, '\n');
    assert.is(tsnspawn(['-q', '-M', machine, '-D', tree, '-P', 'sh', '-c', 'echo $FROM']).stdout, 'etc\n');
  });
});

it('a link to a tree names the machine, and its settings file lies beside the link', () => {
  const home = mkdtempSync(join(tmpdir(), 'tsnspawn-settings-'));
  try {
    const link = join(home, 'by-link');
    symlinkSync(tree, link);
    writeFileSync(`${link}.nspawn`, says('link'));
    const { stdout } = tsnspawn(['-q', '-D', `${link}/`, '-P', 'sh', '-c', 'echo $FROM; hostname']);
    assert.is(stdout, 'link\nby-link\n');
  } finally {
    rmSync(home, { recursive: true });
  }
});

it('--settings=no reads none, --settings=override lets the file win, --settings=trusted trusts it', () => {
  const text = '[Exec]\nEnvironment=FROM=file\nUser=nobody\nCapability=CAP_NET_ADMIN\n';
  withFiles({ [BESIDE]: text }, () => {
    assert.is(shows('FROM', '--settings=no').stdout, '\n');
    assert.is(shows('FROM', '-E', 'FROM=option').stdout, 'option\n');
    assert.is(shows('FROM', '-E', 'FROM=option', '--settings=override').stdout, 'file\n');
    const has = ['-q', '-D', tree, '-P', '-u', 'root', 'grep', 'CapBnd', '/proc/self/status'];
    const without = tsnspawn(has);
    assert.match(without.stderr, /:4: Capability= is ignored: the file lies beside the tree and is not trusted/);
    const bits = (text: string) => (BigInt(`0x${/\t([0-9a-f]+)/.exec(text)?.[1]}`) >> 12n) & 1n;
    assert.is(bits(without.stdout), 0n);
    const trusting = tsnspawn(['--settings=trusted', ...has]);
    assert.equal([bits(trusting.stdout), trusting.stderr], [1n, '']);
  });
});

it('a settings file can say what is started', () => {
  withFiles({ [BESIDE]: '[Exec]\nProcessTwo=yes\nParameters=/bin/sh -c "echo $$ of the file"\n' }, () => {
    assert.is(tsnspawn(['-q', '-D', tree, '-P']).stdout, '2 of the file\n');
    assert.is(tsnspawn(['-q', '-D', tree, '-P', 'echo', 'mine']).stdout, 'mine\n');
  });
});

it('mounts beside the tree are ignored with a warning, those of the administrator are made', () => {
  const text = '[Files]\nBind=/etc:/mnt\n';
  const list = ['-q', '-D', tree, '-P', 'grep', '-c', ' /mnt ', '/proc/mounts'];
  withFiles({ [BESIDE]: text }, () => {
    const { stdout, stderr } = tsnspawn(list);
    assert.is(stdout, '0\n');
    assert.is(stderr.trimEnd().split('\n').length, 1);
    assert.match(stderr, new RegExp(`^tsnspawn: warning: ${BESIDE}:2: Bind= is ignored`));
  });
  withFiles({ [RUN]: text }, () => assert.is(tsnspawn(list).stdout, '1\n'));
});

it('an unknown key is told even with --quiet, once, also when the launch fails at a step', () => {
  withFiles({ [BESIDE]: '[Exec]\nFrob=1\n' }, () => {
    const { status, stderr } = tsnspawn(['-q', '-D', tree, '/no/such/command']);
    assert.is(status, 1);
    assert.is(stderr.match(/unknown key Frob=/g)?.length, 1);
    assert.match(stderr, /^tsnspawn: cannot execute/m);
  });
});

it('a bad value ends the launch before anything has happened', () => {
  withFiles({ [BESIDE]: '[Exec]\nKillSignal=NOPE\n' }, () => {
    const { status, stdout, stderr } = shows('FROM');
    assert.equal([status, stdout], [1, '']);
    assert.match(stderr, new RegExp(`^tsnspawn: ${BESIDE}:2: bad value 'NOPE' for KillSignal=`));
  });
});

it('a FIFO, a directory, a link that leads elsewhere or a gigabyte beside the tree does not hold up the launcher', () => {
  const secret = join(tmpdir(), `${machine}-elsewhere`);
  writeFileSync(secret, says('elsewhere'));
  const cases: readonly (readonly [make: () => void, reason: RegExp])[] = [
    [() => execFileSync('mkfifo', [BESIDE]), /no regular file/],
    [() => mkdirSync(BESIDE), /no regular file/],
    [() => symlinkSync('/dev/zero', BESIDE), /leads out of the directory/],
    [() => symlinkSync(secret, BESIDE), /leads out of the directory/],
    [() => symlinkSync(`../../../../../../../..${secret}`, BESIDE), /leads out of the directory/],
    [() => execFileSync('truncate', ['-s1G', BESIDE]), /larger than 1 MiB/],
    [() => writeFileSync(BESIDE, Buffer.from('[Exec]\nEnvironment=A=\xff\n', 'latin1')), /not UTF-8/],
  ];
  try {
    for (const [make, reason] of cases) {
      make();
      const { status, stderr } = tsnspawn(['-q', '-D', tree, 'true'], { timeout: 10 });
      assert.is(status, 1, stderr);
      assert.match(stderr, reason);
      assert.is(tsnspawn(['-q', '-D', tree, '--settings=no', 'true']).status, 0);
      rmSync(BESIDE, { recursive: true });
    }
  } finally {
    rmSync(BESIDE, { recursive: true, force: true });
    rmSync(secret);
  }
});

it('a link to another file of the same directory is followed', () => {
  const other = join(dirname(tree), 'common.nspawn');
  writeFileSync(other, says('common'));
  symlinkSync('common.nspawn', BESIDE);
  try {
    assert.is(shows('FROM').stdout, 'common\n');
  } finally {
    rmSync(BESIDE);
    rmSync(other);
  }
  assert.not(existsSync(BESIDE));
});

test.run();
