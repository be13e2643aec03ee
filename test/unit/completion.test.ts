// Completion, by the shells themselves: what is typed, and what the tabulator makes of it.

import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { OPTIONS } from '@tsnspawn/core';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Running, tsnspawn } from '../support/launcher';
import { withRunning } from '../support/machines';
import { needs, only } from '../support/needs';

const itInBash = only(test, needs('command:bash', 'command:script'));
const itInZsh = only(test, needs('command:zsh', 'command:script'));
const itInFish = only(test, needs('command:fish'));

const home = mkdtempSync(join(tmpdir(), 'tsnspawn-completion-'));
process.on('exit', () => rmSync(home, { recursive: true }));
for (const path of ['tree/usr/bin', 'tree/srv/data', 'trees/other']) mkdirSync(join(home, path), { recursive: true });
writeFileSync(join(home, 'tree/usr/bin/hello'), '');
writeFileSync(join(home, 'image.raw'), '');
for (const shell of ['bash', 'zsh', 'fish']) {
  const { stdout, stderr, status } = tsnspawn(['completion', shell]);
  assert.is(status, 0, stderr);
  writeFileSync(join(home, shell), stdout);
}

/** What is typed before the tabulator, and the line after it, without the sign at its end that more can follow. */
const LINES: readonly (readonly [promise: string, typed: string, line: string])[] = [
  ['a long option', '--volat', '--volatile'],
  ['one that wants a value', '--hostn', '--hostname'],
  ['a value behind =', '--volatile=st', '--volatile=state'],
  ['a value in the next word', '--console pas', '--console passive'],
  ['behind a letter', '-qE HOM', '-qE HOME'],
  ['a capability after another', '--capability=CAP_CHOWN,CAP_NET_R', '--capability=CAP_CHOWN,CAP_NET_RAW'],
  ['a signal', '--kill-signal=SIGTER', '--kill-signal=SIGTERM'],
  ['a limit', '--rlimit=NOF', '--rlimit=NOFILE'],
  ['a network interface', '--network-macvlan=l', '--network-macvlan=lo'],
  ['a directory, and no file', '-D tr', '-D tree'],
  ['a file', '-i ima', '-i image.raw'],
  ['a path in the tree', '-D tree --chdir=/sr', '-D tree --chdir=/srv'],
  ['the destination of a bind, in the tree', '-D tree --bind=/usr:/sr', '-D tree --bind=/usr:/srv'],
  ['a program of the tree', '-D tree hel', '-D tree hello'],
  ['a verb', 'bootst', 'bootstrap'],
  ['an option of a verb', 'bootstrap --accept', 'bootstrap --accept-expired'],
  ['a value of an option of a verb', 'bootstrap --variant=bu', 'bootstrap --variant=busybox'],
  ['an init', 'bootstrap --init=sysv', 'bootstrap --init=sysvinit'],
  ['a word of a verb', 'completion fi', 'completion fish'],
  ['an option of the launch behind a verb', 'boot-check --notify', 'boot-check --notify-ready'],
];

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}

/** Types each line into an interactive shell, with the tabulator, and reads what it has become. */
async function typedInto(command: string, start: string, skip: readonly string[]): Promise<void> {
  const shell = new Running('script', ['-qefc', command, '/dev/null'], {
    timeout: 50,
    env: { TERM: 'dumb', SHELL: '/bin/sh', PS1: 'type:' },
  });
  await withRunning(shell, async () => {
    // before it shows that it waits, the terminal is in another mode, which would take the tabulator for a blank
    const waits = (after: string): Promise<void> => shell.until(new RegExp(`${after}[^]*type:[^\\n]*$`));
    await waits('');
    // the shell prints the two halves as one word, so that its echo of the command line is not taken for its answer
    shell.write(`cd ${home}; ${start}; printf '%s' 'now-' 'ready'; echo\n`);
    await waits('now-ready');
    for (const [index, [promise, typed, line]] of LINES.entries()) {
      if (skip.includes(promise)) continue;
      // the line becomes an argument of printf, and is not run
      shell.write(`tsnspawn ${typed}\t`);
      // what is typed while the shell looks for an answer may be lost: it runs programs for that, with the terminal as they like it
      await shell.until(new RegExp(`tsnspawn ${escaped(typed)}[^\\n]*${escaped(line.slice(typed.length))}[^\\n]*$`));
      shell.write(`\x01printf '<%s>' 'line-' '${index}:' \r`);
      await shell.until(new RegExp(`<line-><${index}:><tsnspawn>.*?>[^<]*$`, 'm'));
      const answer = new RegExp(`<line-><${index}:>(.*)>`).exec(shell.output)?.[1] ?? '';
      await waits(`<line-><${index}:>`);
      const words = answer
        .slice(1)
        .split('><')
        .join(' ')
        .replace(/[/,=]$/, '');
      assert.is(words, `tsnspawn ${line}`, promise);
    }
    shell.write('exit\r');
    await shell.exited;
  });
}

itInBash('bash completes options, values, paths of the tree, and verbs', () =>
  typedInto('bash --norc --noprofile -i', '. ./bash', []),
);

itInBash('bash completes a word at a time whatever parts words', () => {
  const words =
    'COMP_WORDBREAKS=" "; COMP_LINE="tsnspawn --volatile=st"; COMP_WORDS=(tsnspawn --volatile=st); COMP_CWORD=1';
  const { stdout } = spawnSync('bash', ['-c', `. ./bash; ${words}; _tsnspawn; echo "\${COMPREPLY[@]}"`], {
    cwd: home,
    encoding: 'utf8',
  });
  assert.is(stdout, '--volatile=state\n');
});

itInZsh('zsh completes options, values, paths of the tree, and verbs', () =>
  typedInto('zsh -f -i', 'bindkey -e; autoload -Uz compinit; compinit -u -D; . ./zsh', []),
);

itInFish('fish completes options, values, paths of the tree, and verbs', () => {
  for (const [promise, typed, line] of LINES) {
    if (promise === 'the destination of a bind, in the tree') continue;
    const { stdout, stderr } = spawnSync(
      'fish',
      ['--no-config', '-c', `source ./fish; complete -C 'tsnspawn ${typed}'`],
      {
        cwd: home,
        encoding: 'utf8',
      },
    );
    assert.is(stderr, '');
    const last = line.split(' ').at(-1) ?? '';
    const found = stdout.split('\n').map((answer) => answer.split('\t')[0]?.replace(/[/,=]$/, ''));
    assert.ok(found.includes(last), `${promise}: ${stdout}`);
  }
});

for (const shell of ['bash', 'zsh', 'fish']) {
  only(test, needs(`command:${shell}`))(`${shell} finds no mistake in its script, which has every option`, () => {
    const { status, stderr } = spawnSync(shell, ['-n', join(home, shell)], { encoding: 'utf8' });
    assert.equal([status, stderr], [0, '']);
    const { stdout } = tsnspawn(['completion', shell]);
    for (const { long, hidden } of OPTIONS) {
      if (long !== undefined && hidden !== true)
        assert.ok(stdout.includes(shell === 'fish' ? `-l ${long}` : `--${long}`), long);
    }
  });
}

test('a shell that is not known is refused with those that are', () => {
  const { status, stdout, stderr } = tsnspawn(['completion', 'tcsh']);
  assert.equal([status, stdout], [1, '']);
  assert.match(stderr, /^tsnspawn: no completion for tcsh: not one of bash, zsh, fish\n$/);
});

test.run();
