// A guest of a user who has one id only is still root of its tree: owners of files are emulated, and remembered. Each promise here
// fails without that, as the kernel knows nobody but root there.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { needs, only } from '../support/needs';
import { compiled, ONE_ID, OneIdGuest, storeOf } from '../support/remembered';

const it = only(test, needs(...ONE_ID));

let made: OneIdGuest | undefined;
/** Made at the first call, for all tests of this file. */
function guest(): OneIdGuest {
  if (made === undefined) {
    made = new OneIdGuest('bookworm');
    made.sh('useradd -m joe');
  }
  return made;
}

const sh = (script: string, ...options: string[]): string => guest().sh(script, ...options);

it('chown of a file shows in stat', () => {
  assert.is(sh('touch /srv/file; chown mail:games /srv/file; stat -c %U:%G /srv/file'), 'mail:games\n');
});

it('the user that the container runs for sees own files only', () => {
  const { user, tree } = guest();
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
  const { tree } = guest();
  sh('cd /srv; chown 0:0 other; ln -s y back; chown -h 9:9 back; chown -h 0:0 back');
  assert.is(sh('stat -c %u:%g /srv/other /srv/back'), '0:0\n0:0\n');
  assert.match(readFileSync(storeOf(tree), 'latin1'), / 9 9\n(\d+) (\S+) 0 0\n/);
});

it('the store beside the tree does not grow with what is no longer true', () => {
  const store = storeOf(guest().tree);
  const lines = (): number => readFileSync(store, 'latin1').split('\n').length;
  sh('cd /srv; ln -s a many; for i in $(seq 100); do chown -h $i many; done');
  assert.ok(lines() > 100);
  assert.is(sh('stat -c %u /srv/many'), '100\n');
  assert.ok(lines() < 50, `${lines()} lines`);
  assert.is(sh('stat -c %u /srv/many'), '100\n');
  assert.is(statSync(store).uid, guest().user.uid);
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

it('the owners of the tree are what its maker has remembered', () => {
  assert.is(
    sh('stat -c "%n %U:%G %a" /etc/shadow /usr/bin/chage /var/mail /usr/bin/passwd'),
    '/etc/shadow root:shadow 640\n/usr/bin/chage root:shadow 2755\n/var/mail root:mail 2775\n/usr/bin/passwd root:root 4755\n',
  );
});

it('a user of the guest makes files of all kinds that are his', () => {
  const script =
    'cd; umask 027; echo >file; mkdir dir; ln -s x link; mkfifo fifo; cp /etc/passwd copy; stat -c "%n %U:%G %a" file dir link fifo copy';
  assert.is(
    sh(`su joe -c '${script}'`),
    'file joe:joe 640\ndir joe:joe 750\nlink joe:joe 777\nfifo joe:joe 640\ncopy joe:joe 640\n',
  );
  assert.is(sh('stat -c %U ~joe/file ~joe/link'), 'joe\njoe\n');
});

it('a set-group-id directory hands on its group, to root and to others', () => {
  const script =
    'cd /srv; mkdir team; chown root:games team; chmod 3777 team; cd team; touch root; mkdir dir; su joe -c "touch joe; mkdir dir2; ln -s x link"; stat -c "%n %U:%G %a" *';
  assert.is(
    sh(script),
    'dir root:games 2755\ndir2 joe:games 2755\njoe joe:games 644\nlink joe:games 777\nroot root:games 644\n',
  );
});

it('a user may give files away no more than elsewhere', () => {
  const script =
    'cd; touch mine; for to in root mail :mail joe joe:joe; do chown $to mine 2>&1; done; chown joe /etc/passwd 2>&1; stat -c %U:%G mine; :';
  assert.is(
    sh(`su joe -c '${script}'`),
    `${["'mine'", "'mine'", "'mine'", "'/etc/passwd'"]
      .map(
        (file, index) => `chown: changing ${index === 2 ? 'group' : 'ownership'} of ${file}: Operation not permitted\n`,
      )
      .join('')}joe:joe\n`,
  );
});

it('a random 4000 of acts with files do what they do for root of the host, and leave the same', () => {
  // the reference is made on the host, in a directory that is of no consequence
  const place = mkdtempSync(join(tmpdir(), 'tsnspawn-owners-'));
  try {
    const path = guest().install('owners');
    const real = execFileSync(compiled('owners'), ['1', '4000'], { cwd: place, encoding: 'utf8', maxBuffer: 2 ** 27 });
    const emulated = sh(`mkdir /srv/acts; cd /srv/acts; ${path} 1 4000`);
    assert.ok(real.split('\n').length > 20_000);
    assert.equal(differences(real, emulated), []);
  } finally {
    rmSync(place, { recursive: true });
  }
});

/** The first lines that differ. */
function differences(one: string, other: string): string[] {
  const lines = other.split('\n');
  return one
    .split('\n')
    .flatMap((line, index) => (line === lines[index] ? [] : [`${line} | ${lines[index]}`]))
    .slice(0, 10);
}

it('paths relative to directories, descriptors and links of procfs mean what they mean', () => {
  const script = `
    cd /srv; mkdir -p rel/below; touch rel/below/file; cd rel; chown 1 below/file; cd below; chown :1 file; chown 2 ../below
    stat -c %u:%g file ../below /srv/rel/below/./file
    exec 7<file; chown 3 /proc/self/fd/7; chown :3 /dev/fd/7; stat -Lc %u:%g /proc/self/fd/7 file /dev/fd/7
    ln -s /srv/rel/below/file /srv/abs; chown 4 /srv/abs; stat -c %u file; chown 6 /dev/stdin <file; stat -Lc %u /dev/stdin <file; stat -c %F /dev/stdin
    perl -e 'chown(5, 5, *STDIN); print((stat(STDIN))[4], "\n")' <file`;
  assert.is(sh(script), '1:1\n2:0\n1:1\n3:3\n3:3\n3:3\n4\n6\nsymbolic link\n5\n');
});

it('inside of a chroot and of a mount namespace the same holds', () => {
  const script = `
    mkdir -p /srv/new; mount --rbind / /srv/new
    chroot /srv/new sh -c 'touch /opt/there; chown 6:7 /opt/there; ln -s /opt/there /opt/link; stat -Lc %u:%g /opt/link'
    stat -c %u:%g /opt/there
    unshare -m sh -c 'mount -t tmpfs none /mnt; touch /mnt/f; chown 8 /mnt/f; stat -c %u /mnt/f'
    umount -l /srv/new`;
  assert.is(sh(script), '6:7\n6:7\n8\n');
});

it('nothing that was looked at stays in use', () => {
  const script =
    'mount -t tmpfs none /mnt; cd /mnt; touch f; mkdir d; chown 5 f; stat -c %u f d; cd /; stat -c %u /mnt/f; umount /mnt; echo gone';
  assert.is(sh(script), '5\n0\n5\ngone\n');
});

it('a file system in memory is mounted for a user', () => {
  const script = `
    mount -t tmpfs -o uid=1000,gid=8,mode=750 none /mnt; stat -c '%u:%g %a' /mnt
    unshare -m sh -c 'mount -t tmpfs -o uid=7 none /opt; stat -c %u /opt'; stat -c %u /opt
    mount -t devpts -o gid=5,mode=620,newinstance none /media; echo mounted`;
  assert.is(sh(script), '1000:8 750\n7\n0\nmounted\n');
});

it('an owner does not travel along with the attributes of a file', () => {
  const script = `
    cd /srv; touch his; chown 9 his; su joe -c 'cp -a --no-preserve=ownership /srv/his ~'; stat -c %U ~joe/his; cp -a his copy; stat -c %u copy`;
  assert.is(sh(script), 'joe\n9\n');
});

it('an overlay takes the changes of owners, and forgets them', () => {
  sh('ln -s x /srv/below; chown -h 6 /srv/below');
  for (const option of ['--volatile=overlay', '-x']) {
    const script =
      'cd /srv; stat -c %u below; chown -h 0 below; stat -c %u below; chown -h 5 /bin /etc/passwd; stat -c %u /bin /etc/passwd';
    assert.is(sh(script, option), '6\n0\n5\n5\n', option);
  }
  assert.is(sh('stat -c %u /srv/below'), '6\n');
  assert.is(sh('stat -c %u /bin /etc/passwd'), '0\n0\n');
});

test.run();
