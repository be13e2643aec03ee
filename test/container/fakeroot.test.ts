// A guest of a user who has one id only is still root of its tree: what Linux does with owners and ids is emulated, and remembered.
// Each promise here fails without that, as the kernel knows nobody but root there.

import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { needs, only } from '../support/needs';
import { rememberedTree, storeOf } from '../support/remembered';
import { OrdinaryUser } from '../support/users';

const REASON = needs('root', 'namespaces', 'mirror', 'command:setpriv', 'command:gcc');
const it = only(test, REASON);

let known: { user: OrdinaryUser; tree: string } | undefined;
/** A user without subordinate ids, and a tree: made at the first call, for all tests of this file. */
function place() {
  if (known === undefined) {
    const user = new OrdinaryUser({ subordinate: false });
    known = { user, tree: rememberedTree(user, 'bookworm') };
    sh('useradd -m joe && useradd -m -G mail,games ann && echo root:secret | chpasswd');
  }
  return known;
}

/** Output of a script in the guest, which has to succeed. */
function sh(script: string, ...options: string[]): string {
  const { user, tree } = place();
  const outcome = user.tsnspawn(['-qPD', tree, ...options, 'bash', '-ec', script], { timeout: 120 });
  assert.is(outcome.status, 0, `status ${outcome.status}: ${outcome.stdout}${outcome.stderr}`);
  return outcome.stdout;
}

// --- owners ---

it('chown of a file shows in stat', () => {
  assert.is(sh('touch /srv/file; chown mail:games /srv/file; stat -c %U:%G /srv/file'), 'mail:games\n');
});

it('the user that the container runs for sees own files only', () => {
  const { user, tree } = place();
  const { stdout } = user.run(['find', tree, '!', '-uid', String(user.uid)]);
  assert.is(stdout, '');
});

it('chown of a directory, a link, a fifo and a socket shows in stat', () => {
  const make =
    'mkdir dir; ln -s nowhere link; mkfifo fifo; perl -MSocket -e "socket(S,1,1,0); bind(S, sockaddr_un(q(socket)))"';
  const script = `cd /srv; ${make}; chown -h 1:2 dir link fifo socket; stat -c "%n %u:%g %F" dir link fifo socket; stat -Lc %u dir`;
  assert.is(sh(script), 'dir 1:2 directory\nlink 1:2 symbolic link\nfifo 1:2 fifo\nsocket 1:2 socket\n1\n');
});

it('chown of a link follows it, unless told otherwise', () => {
  const script =
    'cd /srv; touch to; ln -s to from; chown 3 from; chown -h 4 from; stat -c "%n %u" to from; stat -Lc %u from';
  assert.is(sh(script), 'to 3\nfrom 4\n3\n');
});

it('owners of all kinds of files are there in the next run', () => {
  assert.is(
    sh('cd /srv; stat -c "%n %u:%g" file dir link fifo socket'),
    'file 8:60\ndir 1:2\nlink 1:2\nfifo 1:2\nsocket 1:2\n',
  );
});

it('a renamed file keeps its owner, and a hard link has the same', () => {
  const script = 'cd /srv; mv file other; mv link other-link; ln other hard; stat -c "%n %u" other other-link hard';
  assert.is(sh(script), 'other 8\nother-link 1\nhard 8\n');
});

it('what gets the name of a removed file does not get its owner', () => {
  const script =
    'cd /srv; rm other-link fifo; rmdir dir; ln -s x other-link; mkfifo fifo; mkdir dir; stat -c %u other-link fifo dir';
  assert.is(sh(script), '0\n0\n0\n');
});

it('what is given back to root is forgotten', () => {
  const { tree } = place();
  sh('cd /srv; chown 0:0 other; ln -s y back; chown -h 9:9 back; chown -h 0:0 back');
  assert.is(sh('stat -c %u:%g /srv/other /srv/back'), '0:0\n0:0\n');
  assert.match(readFileSync(storeOf(tree), 'latin1'), / 9 9\n(\d+) (\S+) 0 0\n/);
});

it('a device node has its type and its number', () => {
  const script =
    'cd /srv; mknod -m 620 tty c 4 64; mknod disk b 300 70000; chown :tty tty; stat -c "%n %F %t:%T %a %G" tty disk; ls -l tty';
  assert.match(
    sh(script),
    /^tty character special file 4:40 620 tty\ndisk block special file 12c:11170 644 root\ncrw--w---- 1 root tty +4, +64 /,
  );
  assert.is(sh('cd /srv; stat -c "%F %t:%T" tty'), 'character special file 4:40\n');
});

it('an owner in a file system in memory lasts as long as that', () => {
  assert.is(sh('cd /tmp; mkdir d; ln -s x l; chown -h 7:8 d l; stat -c %u:%g d l'), '7:8\n7:8\n');
});

it('a file that root may not read can be given away', () => {
  assert.is(sh('cd /srv; touch none; chmod 000 none; chown 5 none; stat -c "%u %a" none'), '5 0\n');
});

it('a new owner does not get the set-id bits of the old one', () => {
  assert.is(sh('cd /srv; touch set; chmod 6755 set; chown 5 set; stat -c "%u %a" set'), '5 755\n');
});

it('archives have the owners in them, both ways', () => {
  const script =
    'cd /srv; mkdir in; touch in/a; ln -s a in/b; mknod in/c c 1 3; chown -h 11:12 in/*; tar cf t in; rm -r in; tar xpf t; tar tvf t | sort -k 6 | cut -c 1-17; stat -c "%u:%g %F" in/*';
  assert.is(
    sh(script),
    'drwxr-xr-x root/r\n-rw-r--r-- 11/man\nlrwxrwxrwx 11/man\ncrw-r--r-- 11/man\n11:12 regular empty file\n11:12 symbolic link\n11:12 character special file\n',
  );
});

// --- ids ---

it('a user of the guest makes files of all kinds that are his', () => {
  const script =
    'cd; umask 027; echo >file; mkdir dir; ln -s x link; mkfifo fifo; cp /etc/passwd copy; stat -c "%n %U:%G %a" file dir link fifo copy';
  assert.is(
    sh(`su joe -c '${script}'`),
    'file joe:joe 640\ndir joe:joe 750\nlink joe:joe 777\nfifo joe:joe 640\ncopy joe:joe 640\n',
  );
  assert.is(sh('stat -c %U ~joe/file ~joe/link'), 'joe\njoe\n');
});

test.run();
