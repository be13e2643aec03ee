// Whole systems in a guest that has one id only: packages, a message bus, inits of both kinds.

import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { monitorBelow } from '../support/footprint';
import { childrenOf, eventually } from '../support/launcher';
import { withRunning } from '../support/machines';
import { needs, only } from '../support/needs';
import { ONE_ID, OneIdGuest } from '../support/remembered';

const missing = needs(...ONE_ID);
const it = only(test, missing);
const inCgroup = only(test, missing ?? needs('cgroup2'));
const withFuse = only(test, missing ?? needs('fuse'));

let made: OneIdGuest | undefined;
/** Made at the first call, for all tests of this file. */
function guest(): OneIdGuest {
  if (made === undefined) {
    made = new OneIdGuest('bookworm');
    made.sh('useradd -m joe');
  }
  return made;
}

it('a package that makes a user and gives it files is installed, and checks out', () => {
  const script = `
    mkdir -p /tmp/p/DEBIAN /tmp/p/var/lib/probe; cd /tmp
    printf 'Package: probe\\nVersion: 1\\nArchitecture: all\\nMaintainer: nobody <nobody@localhost>\\nDescription: a probe\\n' >p/DEBIAN/control
    printf '#!/bin/sh -e\\nuseradd --system --home /var/lib/probe probe\\nchown probe:probe /var/lib/probe\\nln -s x /var/lib/probe/link; chown -h probe: /var/lib/probe/link\\ninstall -o probe -g mail -m 2640 /dev/null /var/lib/probe/file\\n' >p/DEBIAN/postinst
    chmod 755 p/DEBIAN/postinst; chown -R 7:7 p/var; dpkg-deb --build p probe.deb >/dev/null
    apt-get install -y ./probe.deb >/tmp/log 2>&1 || cat /tmp/log
    dpkg-deb --contents probe.deb | cut -d' ' -f2 | tail -1; dpkg --audit; dpkg -V probe
    stat -c '%U:%G %a' /var/lib/probe /var/lib/probe/file /var/lib/probe/link`;
  assert.is(guest().sh(script), 'lp/lp\nprobe:probe 755\nprobe:mail 2640\nprobe:probe 777\n');
});

it('packages of the archive are downloaded by a user without rights, and installed with their capabilities and set-id bits', () => {
  const script = `
    apt-get update >/tmp/log 2>&1 && apt-get install -y --no-install-recommends iputils-ping sudo cron >>/tmp/log 2>&1 || { cat /tmp/log; exit 1; }
    ! grep -i 'sandbox' /tmp/log; getcap /usr/bin/ping; stat -c '%U:%G %a' /usr/bin/sudo /usr/bin/crontab /var/spool/cron/crontabs
    stat -c %U /var/lib/apt/lists/partial; dpkg --audit; dpkg -V sudo cron iputils-ping
    echo 'joe ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/joe; su joe -c 'sudo -n id -u; sudo -n -u mail id -un' 2>/dev/null`;
  assert.is(
    guest().sh(script),
    [
      '/usr/bin/ping cap_net_raw=ep',
      'root:root 4755',
      'root:crontab 2755',
      'root:crontab 1730',
      '_apt',
      '0',
      'mail',
      '',
    ].join('\n'),
  );
});

const AUTHENTICATE = `use Socket;
socket(S, AF_UNIX, SOCK_STREAM, 0); connect(S, sockaddr_un('/run/dbus/system_bus_socket')) or die;
syswrite S, "\\0AUTH EXTERNAL " . unpack('H*', $ARGV[0]) . "\\r\\n";
<S> =~ /^(\\w+)/; print "$1\\n";
`;

inCgroup('a Debian with systemd is up, its message bus knows its users, and it reboots and powers off', async () => {
  const { user, tree } = guest();
  writeFileSync(join(tree, 'usr/local/bin/auth.pl'), AUTHENTICATE);
  const started = user.startOnTerminal(['-bD', tree], { cgroup: user.cgroup(), timeout: 120 });
  await withRunning(started, async (running) => {
    const prompt = /root@\S*:~# $/m;
    await running.until(prompt);
    const ask = async (command: string, answer: RegExp): Promise<void> => {
      running.write(`${command}\n`);
      await running.until(answer);
    };
    await ask('export SYSTEMD_PAGER=cat; systemctl is-system-running --wait', /^running/m);
    await ask('systemctl --failed --no-legend | wc -l', /^0/m);
    await ask('su joe -c "systemctl stop cron 2>&1"', /Access denied|authentication required/i);
    // the bus asks the socket whether who says to be 1000, or root, is so
    await ask('su joe -c "perl /usr/local/bin/auth.pl 1000"', /^OK\r/m);
    await ask('su joe -c "perl /usr/local/bin/auth.pl 0"', /^REJECTED\r/m);
    await ask(
      'systemd-run -qP -p DynamicUser=yes -p StateDirectory=kept -p PrivateTmp=yes sh -c \'touch $STATE_DIRECTORY/f; stat -c "%u is $(id -u)" $STATE_DIRECTORY/f\'',
      /^(\d{5}) is \1\r/m,
    );
    await ask(
      'systemd-run -qP -p User=joe -p Type=notify -p NotifyAccess=all sh -c \'systemd-notify --ready && echo "told by $(id -un)"\'',
      /^told by joe/m,
    );
    await ask('systemd-run -qP -p User=joe -p PrivateUsers=yes id -un', /^joe\r/m);
    await ask('systemctl reboot', /is being rebooted[\s\S]*root@\S*:~# $/m);
    await ask('stat -c %U:%G /var/lib/private/kept/f | tr -d 0-9', /^(:|UNKNOWN:UNKNOWN)\r/m);
    running.write('systemctl poweroff\n');
    assert.is((await running.exited).status, 0);
    assert.match(running.output, /has been shut down/);
  });
});

it('a Debian with sysvinit boots without a cgroup, lets a user log in, and powers off', async () => {
  const other = new OneIdGuest('sysvinit');
  other.sh('useradd -m joe; echo joe:secret | chpasswd');
  await withRunning(other.user.startOnTerminal(['-bD', other.tree], { timeout: 120 }), async (running) => {
    await running.until(/root@\S*:~# $/m);
    running.write('su joe -c "id -un; touch ~/f; stat -c %U ~/f"\n');
    await running.until(/^joe\r\njoe\r/m);
    running.write('exec login joe\n');
    await running.until(/Password: /);
    running.write('secret\n');
    await running.until(/\$ $/m);
    running.write('id -u; stat -c "mine: %u" $(tty); exit\n');
    await running.until(/^1000\r\nmine: 1000/m);
    await running.until(/root@\S*:~# $/m);
    running.write('poweroff\n');
    assert.is((await running.exited).status, 0);
  });
});

withFuse('a file system that a process of the guest serves can look into files while others look into it', () => {
  const { user } = guest();
  const device = join(user.home, 'fuse');
  execFileSync('mknod', ['-m', '666', device, 'c', '10', '229']);
  const program = guest().install('fuse');
  // twice: from the first time on nobody has to be waited for
  const script = `${program} /dev/fuse /mnt; ${program} /dev/fuse /mnt; stat -c %G /etc/shadow`;
  assert.is(guest().sh(script, `--bind=${device}:/dev/fuse`), '20 of 20\n20 of 20\nshadow\n');
});

it('a guest ends when who serves it is killed, and says so; nobody who serves is left by a guest that ends', async () => {
  const { user, tree } = guest();
  const serving = (launcher: number): number =>
    childrenOf(monitorBelow(launcher) ?? 0).find(
      (pid) => readFileSync(`/proc/${pid}/comm`, 'latin1') === 'tsnspawn-ids\n',
    ) ?? 0;
  let server = 0;
  await withRunning(user.start(['-qPD', tree, 'sh', '-c', 'echo up; exec sleep 1000']), async (running) => {
    await running.until(/^up$/m);
    server = serving(running.pid);
    assert.ok(readdirSync(`/proc/${server}/fd`).length < 8, 'descriptors of who serves');
    process.kill(server, 'SIGKILL');
    assert.is((await running.exited).status, 1);
    assert.match(running.output, /has been killed, as the process that remembers its owners has gone/);
  });
  await withRunning(user.start(['-qPD', tree, 'sh', '-c', 'echo up; read x']), async (running) => {
    await running.until(/^up$/m);
    server = serving(running.pid);
    running.write('\n');
    assert.is((await running.exited).status, 0);
    await eventually(() => !existsSync(`/proc/${server}`), 'the end of who serves');
  });
});

test.run();
