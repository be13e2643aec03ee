// Real trees from the mirror that the host's APT knows, held against the reference tool's.

import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { startTsnspawn, tsnspawn } from '../support/launcher';
import { needs, only } from '../support/needs';
import { sharedTree } from '../support/trees';

const SUITE = 'bookworm';
const INCLUDE = 'systemd,systemd-sysv,dbus';

const inside = (tree: string, ...command: string[]): string => {
  const { stdout, stderr, status } = spawnSync('chroot', [tree, ...command], { encoding: 'utf8' });
  assert.is(status, 0, stderr);
  return stdout + stderr;
};
// biome-ignore lint/suspicious/noTemplateCurlyInString: the braces are dpkg-query's
const FORMAT = '${Package} ${Version} ${Architecture} ${db:Status-Status}\n';
const packages = (tree: string): string =>
  execFileSync('dpkg-query', [`--root=${tree}`, '-W', '-f', FORMAT], { encoding: 'utf8' });

function scratch(): string {
  const directory = mkdtempSync(join(tmpdir(), 'tsnspawn-bootstrap-'));
  process.on('exit', () => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

const it = only(test, needs('root', 'mirror'));

it('dpkg finds nothing to complain about in a fresh tree', () => {
  const tree = sharedTree(SUITE);
  assert.is(inside(tree, 'dpkg', '--audit'), '');
  assert.is(inside(tree, 'dpkg', '-V'), '');
  for (const line of packages(tree).trim().split('\n')) assert.match(line, / installed$/);
});

it('a fresh tree has no identity, no leftovers, and knows its own archives', () => {
  const tree = sharedTree(SUITE);
  assert.is(readFileSync(join(tree, 'etc/machine-id'), 'utf8'), '');
  assert.equal(readdirSync(join(tree, 'run')), ['lock']);
  assert.is(existsSync(join(tree, 'usr/sbin/policy-rc.d')), false);
  const sources = readdirSync(join(tree, 'etc/apt/sources.list.d'))
    .map((name) => readFileSync(join(tree, 'etc/apt/sources.list.d', name), 'utf8'))
    .join('');
  assert.match(sources, new RegExp(`^Suites: ${SUITE}\\b`, 'm'));
  for (const [, keyring] of sources.matchAll(/^Signed-By: (.*)$/gm))
    assert.ok(existsSync(join(tree, keyring as string)), keyring);
});

only(test, needs('root', 'mirror', 'command:mmdebstrap'))(
  'the packages and their versions are those of mmdebstrap',
  () => {
    const tree = sharedTree(SUITE);
    const sources = readdirSync(join(tree, 'etc/apt/sources.list.d')).flatMap((name) =>
      readFileSync(join(tree, 'etc/apt/sources.list.d', name), 'utf8')
        .split('\n\n')
        .flatMap((paragraph) => {
          const uri = /^URIs: (.*)$/m.exec(paragraph)?.[1];
          return (/^Suites: (.*)$/m.exec(paragraph)?.[1] ?? '').split(' ').map((suite) => `deb ${uri} ${suite} main`);
        }),
    );
    const reference = join(scratch(), 'reference');
    const { status, stderr } = spawnSync(
      'mmdebstrap',
      ['--variant=minbase', `--include=${INCLUDE}`, '--skip=check/empty', SUITE, reference, ...sources],
      { encoding: 'utf8', timeout: 300_000 },
    );
    assert.is(status, 0, stderr);
    assert.is(packages(tree), packages(reference));
  },
);

it('a suite, a package or a mirror that is not there is one line on standard error, and nothing is left', () => {
  const home = scratch();
  for (const [args, reason] of [
    [['nosuch', 'tree'], /^tsnspawn: cannot find the suite nosuch on /],
    [[SUITE, 'tree', '--include=nosuchpackage'], /^tsnspawn: cannot include nosuchpackage: /],
    [[SUITE, 'tree', 'http://127.0.0.1:1/debian'], /^tsnspawn: cannot fetch .*: connection refused\nhint: /],
    [[SUITE, 'tree', '--keyring=/etc/passwd'], /^tsnspawn: cannot read the keyring \/etc\/passwd: /],
    [[SUITE, 'tree', '--nosuch'], /^tsnspawn: bootstrap: unknown option --nosuch\nhint: /],
    [[SUITE], /^tsnspawn: bootstrap: arguments are missing\nhint: /],
  ] as const) {
    const { status, stdout, stderr } = tsnspawn(['bootstrap', ...args], { cwd: home });
    assert.ok(status === 1 || status === 3, String(status));
    assert.is(stdout, '');
    assert.match(stderr, reason);
    assert.match(stderr, /^tsnspawn: [^\n]+\n(hint: [^\n]+\n)?$/);
    assert.equal(readdirSync(home), []);
  }
});

it('interrupted in the middle, it says so and leaves nothing', async () => {
  const home = scratch();
  const running = startTsnspawn(['bootstrap', SUITE, join(home, 'tree')]);
  while (!readdirSync(home).some((name) => name.startsWith('.tree.') && existsSync(join(home, name, 'tree/usr'))))
    await new Promise((resolve) => setTimeout(resolve, 5));
  running.child.kill('SIGTERM');
  assert.equal(await running.exited, { status: 143, signal: null });
  assert.match(running.output, /interrupted by SIGTERM/);
  assert.equal(readdirSync(home), []);
});

test.run();
