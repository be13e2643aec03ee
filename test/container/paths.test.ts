// Where a mount goes: every path is looked up inside the tree, whatever its links say, by openat2(2) and, where that is hidden (a
// kernel before 5.6, a filter), component by component. Each promise is made for both.

import { execFileSync, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Outcome, TSNSPAWN } from '../support/launcher';
import { needs, only } from '../support/needs';
import { ownTree } from '../support/trees';

const missing = needs('root', 'namespaces', 'command:gcc');
const it = only(test, missing);
const tree = missing === undefined ? ownTree('busybox') : '';
const scratch = mkdtempSync(join(tmpdir(), 'tsnspawn-paths-'));
process.on('exit', () => rmSync(scratch, { recursive: true, force: true }));
const hides = join(scratch, 'hides');
if (missing === undefined) execFileSync('gcc', ['-static', '-O1', '-o', hides, 'test/support/hides.c']);

/** Something of the host that a link of the tree would like to lead to. */
const bait = join(scratch, 'bait');
mkdirSync(join(bait, 'empty'), { recursive: true });
writeFileSync(join(bait, 'file'), 'of the host');
const source = join(scratch, 'source');
mkdirSync(source);
writeFileSync(join(source, 'shown'), 'shown');

function run(prefix: readonly string[], script: string, options: readonly string[]): Outcome {
  const [command = '', ...args] = [...prefix, TSNSPAWN, '-q', '-D', tree, '--pipe', ...options, 'sh', '-c', script];
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8', timeout: 30_000 });
  return { status, stdout, stderr };
}

/** Puts links into the tree for one test. */
function withLinks(links: { readonly [path: string]: string }, body: () => void): void {
  for (const [path, target] of Object.entries(links)) symlinkSync(target, join(tree, path));
  try {
    body();
  } finally {
    for (const path of Object.keys(links)) rmSync(join(tree, path));
    rmSync(join(tree, 'made'), { recursive: true, force: true });
    rmSync(join(tree, scratch), { recursive: true, force: true });
  }
}

function untouched(): void {
  assert.equal([readdirSync(bait).sort(), readdirSync(join(bait, 'empty'))], [['empty', 'file'], []]);
  assert.is(readFileSync(join(bait, 'file'), 'utf8'), 'of the host');
}

for (const [how, prefix] of [
  ['with openat2', []],
  ['without openat2', [hides, 'openat2']],
] as const) {
  for (const users of [[], ['-U']] as const) {
    const where = `${how}${users.length > 0 ? ', in a user namespace' : ''}`;
    const shows = (place: string, options: readonly string[], ...links: Parameters<typeof withLinks>[0][]) =>
      withLinks(Object.assign({}, ...links), () => {
        const { status, stdout, stderr } = run(prefix, `cat ${place}/shown`, [...users, ...options]);
        assert.equal([status, stdout], [0, 'shown'], stderr);
        untouched();
      });

    it(`an absolute link ends in the tree, ${where}`, () => shows(bait, [`--bind=${source}:/out`], { out: bait }));

    it(`a link that goes up ends at the root of the tree, ${where}`, () =>
      shows('/made/there', [`--bind=${source}:/up/there`], { up: '../../../../../../../../made' }));

    it(`a link to a link is followed, and what is missing is made at its end, ${where}`, () =>
      shows('/made/deep/er', [`--bind=${source}:/first/er`], { first: 'second', second: '/made/deep' }));

    it(`a link in a circle is refused, and does not hang, ${where}`, () =>
      withLinks({ round: 'about', about: 'round' }, () => {
        const { status, stderr } = run(prefix, 'true', [...users, `--bind=${source}:/round/x`]);
        assert.is(status, 1);
        assert.match(stderr, /\/round\/x.*[Tt]oo many (levels of )?symbolic links/);
      }));

    it(`a link through /proc leads nowhere, ${where}`, () => {
      for (const magic of [
        '/proc/1/root',
        '/proc/self/root',
        '/proc/self/cwd',
        '/proc/self/fd/5',
        '/proc/thread-self/root',
      ])
        withLinks({ magic }, () => {
          const { status, stderr } = run(prefix, 'true', [...users, `--bind=${source}:/magic${bait}/empty`]);
          untouched();
          // the monitor, who mounts for a guest with a user namespace, finds an empty /proc in the tree
          if (users.length > 0) {
            execFileSync('sh', ['-c', 'rm -rf "$0"/*', join(tree, 'proc')]);
            return;
          }
          assert.is(status, 1, `${magic}: ${stderr}`);
          assert.match(stderr, /[Tt]oo many (levels of )?symbolic links|No such file/, magic);
        });
    });

    it(`/proc, /sys and /dev that are links are refused, ${where}`, () => {
      for (const name of ['proc', 'sys', 'dev']) {
        const kept = join(tree, `${name}.kept`);
        execFileSync('mv', [join(tree, name), kept]);
        try {
          withLinks({ [name]: `${name}.kept` }, () => {
            const { status, stderr } = run(prefix, 'true', users);
            assert.is(status, 1, name);
            assert.match(stderr, new RegExp(`/${name}`), stderr);
          });
        } finally {
          execFileSync('mv', [kept, join(tree, name)]);
        }
      }
    });

    it(`a file goes onto a file that is made for it, ${where}`, () => {
      const { status, stdout, stderr } = run(prefix, 'cat /made/a/file', [
        ...users,
        `--bind=${source}/shown:/made/a/file`,
      ]);
      assert.equal([status, stdout], [0, 'shown'], stderr);
      assert.ok(existsSync(join(tree, 'made/a/file')));
      rmSync(join(tree, 'made'), { recursive: true });
    });
  }
}

test.run();
