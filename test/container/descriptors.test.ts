// Which descriptors of the caller reach the payload: those of socket activation, and no other one.

import { execFileSync, spawnSync } from 'node:child_process';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { TSNSPAWN } from '../support/launcher';
import { needs, only } from '../support/needs';
import { ownTree } from '../support/trees';

const missing = needs('root', 'namespaces');
const it = only(test, missing);
const tree = missing === undefined ? ownTree('busybox') : '';

/** The descriptors with what they are, and the variables; the last descriptor is that of the listing itself. */
const SHOW =
  'cd /proc/self/fd; for fd in *; do [ -e $fd ] && echo "$fd $(readlink /proc/$$/fd/$fd)"; done; env | grep ^LISTEN_';

/** Runs the command from a shell that opens descriptors before it becomes the launcher. */
function withDescriptors(opens: string, options: string, script = SHOW) {
  const { stdout, stderr, status } = spawnSync(
    'sh',
    ['-c', `${opens} LISTEN_PID=$$ exec "$0" -q -P -D "$1" ${options} sh -c "$2"`, TSNSPAWN, tree, script],
    { encoding: 'utf8', timeout: 30_000 },
  );
  return { status, stderr, lines: stdout.trimEnd().split('\n') };
}

it('descriptors of socket activation are passed on, with the variables that go with them', () => {
  const { lines, stderr } = withDescriptors('exec 3</etc/hosts 4</etc/hostname; LISTEN_FDS=2 LISTEN_FDNAMES=a:b', '');
  assert.equal(
    lines.filter((line) => /^[3-9]/.test(line) || line.startsWith('LISTEN')).sort(),
    ['3 /etc/hosts', '4 /etc/hostname', 'LISTEN_FDNAMES=a:b', 'LISTEN_FDS=2', 'LISTEN_PID=1'],
    stderr,
  );
});

it('below the stub they are meant for PID 2, and PID 1 has none', () => {
  const { lines } = withDescriptors(
    'exec 3</etc/hosts; LISTEN_FDS=1',
    '--as-pid2',
    `${SHOW}; echo stub: $(ls /proc/1/fd)`,
  );
  assert.ok(lines.includes('3 /etc/hosts'), lines.join('\n'));
  assert.ok(lines.includes('LISTEN_PID=2'));
  assert.ok(lines.includes('stub:'));
});

it('more of them than the launcher has descriptors of its own keep their order', () => {
  const numbers = Array.from({ length: 7 }, (_, index) => index + 3);
  const opens = numbers.map((fd) => `${fd}</proc/self/limits`).join(' ');
  const script = 'for fd in 3 4 5 6 7 8 9; do head -n1 <&$fd >/dev/null && printf "$fd "; done';
  const { lines } = withDescriptors(`exec ${opens}; LISTEN_FDS=7`, '', script);
  assert.equal(lines, [numbers.join(' ')]);
});

it('they are there again after a reboot of the guest', () => {
  const script = '[ -e /tmp/again ] && { readlink /proc/self/fd/3; exit; }; touch /tmp/again; reboot -f; sleep 99';
  execFileSync('mkdir', ['-p', `${tree}/tmp`]);
  const { lines } = withDescriptors('export SYSTEMD_NSPAWN_TMPFS_TMP=0; exec 3</etc/hosts; LISTEN_FDS=1', '', script);
  assert.equal(lines, ['/etc/hosts']);
});

it('descriptors that were meant for another process stay behind, and so do all others above 2', () => {
  for (const variables of ['', 'LISTEN_FDS=2']) {
    const { stdout } = spawnSync(
      'sh',
      [
        '-c',
        `exec 3</etc/hosts 4</etc/hostname 9</etc/hostname; LISTEN_PID=1 ${variables} exec "$0" -q -P -D "$1" sh -c "$2"`,
        TSNSPAWN,
        tree,
        SHOW,
      ],
      { encoding: 'utf8', timeout: 30_000 },
    );
    const above = stdout.split('\n').filter((line) => /^([3-9]|\d\d) ./.test(line) || line.startsWith('LISTEN'));
    assert.equal(
      above.filter((line) => !line.includes('/proc/')),
      [],
    );
  }
});

it('a promise of descriptors that are not there is an error that names the first', () => {
  const { status, stderr } = withDescriptors('exec 3</etc/hosts; LISTEN_FDS=2', '');
  assert.is(status, 1);
  assert.match(stderr, /^tsnspawn: LISTEN_FDS=2, but descriptor 4 is not open$/m);
});

it('more descriptors than can be kept are refused', () => {
  assert.match(withDescriptors('LISTEN_FDS=33', '').stderr, /^tsnspawn: LISTEN_FDS=33 are too many descriptors: 32/);
});

test.run();
