// The users of a guest that has one id only: what a process is taken for, what it may become, and who it is to others. Each promise
// here fails without the emulation.

import { execFileSync } from 'node:child_process';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { needs, only } from '../support/needs';
import { compiled, ONE_ID, OneIdGuest } from '../support/remembered';

const missing = needs(...ONE_ID);
const it = only(test, missing);
const itCompat = only(test, missing ?? needs('arch:x64'));

let made: OneIdGuest | undefined;
/** Made at the first call, for all tests of this file. */
function guest(): OneIdGuest {
  if (made === undefined) {
    made = new OneIdGuest('bookworm');
    made.sh('useradd -m joe; useradd -m -G mail,games ann; echo root:secret | chpasswd; echo joe:own | chpasswd');
  }
  return made;
}

const sh = (script: string, ...options: string[]): string => guest().sh(script, ...options);

function differences(one: string, other: string): string[] {
  const lines = other.split('\n');
  return one
    .split('\n')
    .flatMap((line, index) => (line === lines[index] ? [] : [`${line} | ${lines[index]}`]))
    .slice(0, 10);
}

for (const [kind, run] of [
  ['native', it],
  ['compat', itCompat],
] as const) {
  run(`8000 random ${kind} calls that set ids answer as they do to root of the host, and have the same effects`, () => {
    const args = [kind, '1', '1000'];
    // with nobody's groups, as the guest's root has none
    const real = execFileSync('setpriv', ['--clear-groups', compiled('identity'), ...args], { encoding: 'utf8' });
    const emulated = sh(`setpriv --clear-groups ${guest().install('identity')} ${args.join(' ')}`);
    assert.ok(real.split('\n').length > 9000);
    assert.equal(differences(real, emulated), []);
  });
}

it('--user gives the payload the ids and groups of the user', () => {
  assert.is(
    sh('id -u; id -un; id -Gn; touch ~/from-outside; stat -c %U ~/from-outside', '-u', 'ann'),
    `${['1001', 'ann', 'ann mail games', 'ann'].join('\n')}\n`,
  );
});

it('a user writes to what the shell calls /dev/stdout and /dev/stderr', () => {
  assert.is(
    sh('su joe -c "echo one >/dev/stdout; echo two >/dev/fd/1; echo three 2>&1 >/dev/stderr" 2>&1 | cat'),
    'one\ntwo\nthree\n',
  );
});

it('a terminal belongs to who opens it, and its number not to who had it before', () => {
  const script = 'script -qc "stat -c %U \\$(tty)" /dev/null';
  assert.is(sh(`su joe -c '${script}'; ${script}`).replaceAll('\r', ''), 'joe\nroot\n');
});

it('su makes a session of another user', () => {
  assert.is(
    sh('su - ann -c "id -u; id -Gn; pwd; echo \\$USER"'),
    `${['1001', 'ann mail games', '/home/ann', 'ann'].join('\n')}\n`,
  );
});

it('who has given root up does not get it back', () => {
  const script =
    'perl -e \'use POSIX; POSIX::setuid(1000); for (0, 1001) { $> = $_; print "$>\\n"; POSIX::setuid($_); print "$<\\n" }\'';
  assert.is(sh(script), '1000\n1000\n1000\n1000\n');
});

it('who has only put root aside gets it back', () => {
  assert.is(sh('perl -e \'$> = 1000; print $>; $> = 0; print $>; print "\\n"\''), '10000\n');
});

it('children, orphans and executed programs have the ids of who made them', () => {
  const script = `
    setpriv --reuid=joe --regid=joe --init-groups bash -c '
      (id -u); bash -c "id -u"; echo $(exec id -u)
      (sleep 0.2; id -u >/tmp/orphan) & disown' >/tmp/out
    cat /tmp/out; until test -s /tmp/orphan; do sleep 0.05; done; cat /tmp/orphan`;
  assert.is(sh(script), '1000\n1000\n1000\n1000\n');
});

it('all threads of a process have the same ids', () => {
  assert.is(sh(guest().install('threads')), 'ok\n');
});

it('a set-user-id program runs as its owner, and can go back', () => {
  const script = `
    cd /usr/local/bin; cp /usr/bin/perl mine; chown ann:games mine; chmod 4755 mine
    su joe -c 'mine -e "print qq($< $>\\n); (\\$<, \\$>) = (\\$>, \\$<); print qq(\\$< \\$>\\n)"' | sed 's/[^0-9 ]//g'
    chmod 2755 mine; su joe -c 'id -g; mine -e "print ((split q( ), \\$))[0])"'; echo
    chmod 4755 mine; su joe -c 'setpriv --no-new-privs mine -e "print \\$>"'; echo
    mount --bind . . && mount -o remount,bind,nosuid . 2>/dev/null; su joe -c '/usr/local/bin/mine -e "print \\$>"'`;
  assert.is(sh(script), '1000 1001\n1001 1000\n1000\n60\n1000\n1000');
});

it('su and passwd, which are set-user-id, do for a user what root could', () => {
  assert.is(sh('su joe -c \'printf secret | su -c "id -u"\' 2>/dev/null'), '0\n');
  sh('su joe -c \'printf "own\\nmuchbetter7\\nmuchbetter7\\n" | passwd\' 2>&1');
  assert.is(sh('su ann -c \'printf muchbetter7 | su joe -c "id -un"\' 2>/dev/null'), 'joe\n');
});

it('who is not root has no capabilities but those that came with the exec', () => {
  assert.is(sh(`su joe -c '${guest().install('capabilities')}'`), 'effective 0 permitted 0\n');
  assert.is(
    sh(`setpriv --reuid=joe --inh-caps=-all,+sys_chroot --ambient-caps=+sys_chroot ${guest().install('capabilities')}`),
    'effective 40000 permitted 40000\n',
  );
  assert.not.match(sh(guest().install('capabilities')), /effective 0 /);
});

it('user namespaces can be made by everybody, and their users are who they were', () => {
  const script =
    'unshare -U --map-root-user sh -c "id -u; cat /proc/self/uid_map"; su joe -c "unshare -U --map-current-user sh -c \'id -u; touch /tmp/f; stat -c %u /tmp/f\'"';
  assert.is(sh(script).replace(/ +/g, ' '), '0\n 0 0 1\n1000\n1000\n');
});

it('the limit that carries the ids looks like one that nobody has set', () => {
  const script =
    'ulimit -x; setpriv --reuid=5 bash -c "ulimit -x; ulimit -x 3; ulimit -x; id -u; prlimit --locks --noheadings -o SOFT,HARD"';
  assert.is(sh(script), 'unlimited\nunlimited\nunlimited\n5\nunlimited unlimited\n');
});

const PEER = (level: string): string => `
  use Socket; socketpair(my $a, my $b, AF_UNIX, SOCK_STREAM, 0);
  print join(" ", (unpack "l3", getsockopt($a, SOL_SOCKET, ${level}))[1, 2]), "\\n";`;

it('a local socket tells who is at its other end', () => {
  assert.is(sh(`setpriv --reuid=ann --regid=ann --init-groups perl -e '${PEER('17')}'`), '1001 1001\n');
  const groups = `use Socket; socketpair(my $a, my $b, AF_UNIX, SOCK_STREAM, 0); print join(" ", unpack "L*", getsockopt($a, SOL_SOCKET, 59)), "\\n";`;
  assert.is(sh(`setpriv --reuid=ann --regid=ann --init-groups perl -e '${groups}'`), '8 60 1001\n');
});

it('a process on another side of a socket is known by its ids and its process id', () => {
  const server = `use Socket; socket(S, AF_UNIX, SOCK_STREAM, 0); bind(S, sockaddr_un("/tmp/s")); chmod 0777, "/tmp/s"; listen(S, 5); print "up\\n"; $| = 1;
    accept(C, S); my @peer = unpack "l3", getsockopt(C, SOL_SOCKET, 17); my $said = <C>; chomp $said; print "$peer[1] $peer[2] ", $peer[0] == $said ? "same" : "$peer[0] $said", "\\n";`;
  const client =
    'use Socket; socket(S, AF_UNIX, SOCK_STREAM, 0); connect(S, sockaddr_un("/tmp/s")) or die; syswrite S, "$$\\n"; <S>;';
  const script = `perl -e '${server}' >/tmp/out & until test -S /tmp/s; do sleep 0.05; done; su joe -c "perl -e '${client.replaceAll('$', '\\$').replaceAll('"', '\\"')}'" & wait %1; cat /tmp/out`;
  assert.match(sh(script), /^up\n1000 1000 same\n$/);
});

it('who has left a socket is not taken for root', () => {
  const server =
    'use Socket; socket(S, AF_UNIX, SOCK_STREAM, 0); bind(S, sockaddr_un("/tmp/s")); chmod 0777, "/tmp/s"; listen(S, 5);';
  const client =
    'use Socket; socket(S, AF_UNIX, SOCK_STREAM, 0); $> = $ARGV[0]; connect(S, sockaddr_un("/tmp/s")) or die;';
  const script = `perl -e '${server} for (0, 1000) { system("perl", "-e", q(${client}), $_); accept(C, S); print((unpack "l3", getsockopt(C, SOL_SOCKET, 17))[1], "\\n"); }'`;
  assert.is(sh(script), '0\n1000\n');
});

it('credentials that a user sends along with a message are taken', () => {
  assert.is(sh(`setpriv --reuid=ann --regid=ann --init-groups ${guest().install('credentials')}`), 'sent\n');
});

itCompat('32-bit programs see and change owners', () => {
  assert.is(sh(`cd /srv; ${guest().install('compat-owners')}`), 'ok\n');
});

it('many processes at once are served, and nothing hangs when some are killed', () => {
  const script = `
    work() { for i in $(seq 20); do stat -c %u /etc/shadow; chown $i /tmp/$1; su joe -s /bin/true; done >/dev/null; }
    for n in $(seq 40); do touch /tmp/$n; work $n & done
    for n in 1 2 3 4 5 6 7 8 9 10; do (while :; do stat /etc/passwd; done >/dev/null 2>&1) & k=$!; sleep 0.02; kill -9 $k; done
    wait; for n in $(seq 40); do stat -c %u /tmp/$n; done | sort | uniq -c`;
  assert.is(sh(script).trim(), '40 20');
});

test.run();
