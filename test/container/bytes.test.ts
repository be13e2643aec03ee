// Arguments and paths that are no UTF-8. Node cannot hand them on to a child, so a shell does.

import { execFileSync } from 'node:child_process';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { quoted, TSNSPAWN } from '../support/launcher';
import { needs, only } from '../support/needs';
import { ownTree } from '../support/trees';

const missing = needs('root', 'namespaces');
const it = only(test, missing);
const tree = missing === undefined ? ownTree('busybox') : '';

/** Runs a shell script in which $x is such a word and `run` the command; its standard output, a character for each byte. */
function shell(script: string): string {
  const run = `run() { ${quoted(TSNSPAWN)} -qP "$@"; }`;
  return execFileSync('sh', ['-c', `x=$(printf 'a\\377\\303b'); tree=${quoted(tree)}; ${run}; set -e; ${script}`], {
    timeout: 60_000,
  }).toString('latin1');
}
const WORD = 'a\xff\xc3b';

it('an argument of the payload arrives as it was given', () => {
  assert.is(shell('run -D "$tree" printf "%s|%s" "$x" "ü€😀"'), `${WORD}|${Buffer.from('ü€😀').toString('latin1')}`);
});

it('a variable arrives as it was given', () => {
  assert.is(shell(`run -D "$tree" -E "V=$x" sh -c 'printf %s "$V"'`), WORD);
});

it('a bind shows what is at such a path, at such a path', () => {
  assert.is(
    shell(
      'mkdir -p "$tree/../$x"; echo found > "$tree/../$x/file"; run -D "$tree" --bind="$tree/../$x:/mnt/$x" cat "/mnt/$x/file"',
    ),
    'found\n',
  );
});

it('a tree may be at such a path', () => {
  assert.is(shell('mv "$tree" "$tree.$x"; run -D "$tree.$x" echo started; mv "$tree.$x" "$tree"'), 'started\n');
});

it('a failure is explained as any other', () => {
  const told = shell('run -D "$tree" "/no/$x" 2>&1 || test $? = 1');
  assert.match(told, /^tsnspawn: cannot execute '?\/no\/a.*: No such file or directory\n/);
});

it('a copied variable that is no UTF-8 is refused, since Node has altered it', () => {
  const told = shell('export V="$x"; run -D "$tree" -E V true 2>&1 || test $? = 1');
  assert.match(told, /^tsnspawn: .*--setenv=V.* is not UTF-8\nhint: write --setenv=V=VALUE\n$/);
});

test.run();
