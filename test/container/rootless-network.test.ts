// What network the guest of an ordinary user has: the programs that give it one, its ports, and that nothing of it is left. The host is
// one of the test's own: a network with one way out, a resolver on its loopback, and /dev/net/tun as udev sets it up.

import {
  chmodSync,
  copyFileSync,
  existsSync,
  lchownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { commandLine, monitorBelow, processes } from '../support/footprint';
import { eventually, type Running, TSNSPAWN } from '../support/launcher';
import { withRunning } from '../support/machines';
import { needs, only } from '../support/needs';
import { cable, Network, wireDirectory } from '../support/network';
import { ownTree } from '../support/trees';
import { OrdinaryUser } from '../support/users';

const REASON = needs(
  'root',
  'namespaces',
  'tun',
  'command:ip',
  'command:nsenter',
  'command:gcc',
  'command:setpriv',
  'command:newuidmap',
);
const it = only(test, REASON);

const KINDS = ['pasta', 'slirp4netns'] as const;
type Kind = (typeof KINDS)[number];

/** A test for each of the programs. */
function each(name: string, body: (kind: Kind, host: Place) => Promise<void>): void {
  for (const kind of KINDS)
    only(test, REASON ?? needs(`command:${kind}`))(`${kind}: ${name}`, () =>
      withHost([kind], (place) => body(kind, place)),
    );
}

const HOST = '203.0.113.2';
const HOST6 = '2001:db8::2';
/** A second address of the host's: not the one that an answer has of its own. */
const OTHER = '203.0.113.9';
const GATEWAY = '203.0.113.1';
/** Of the machine behind the gateway. */
const OUTSIDE = '198.51.100.1';
/** What the name server of the host answers, whatever it is asked. */
const ANSWER = '198.51.100.7';

interface Place {
  readonly host: Network;
  /** another machine, behind the host's only route */
  readonly outside: Network;
  /** starts the command as the user */
  readonly start: (...args: readonly string[]) => Running;
}

let known: { user: OrdinaryUser; lone: OrdinaryUser; tree: string; loneTree: string; wire: string } | undefined;

function users() {
  if (known === undefined) {
    const [user, lone] = [new OrdinaryUser(), new OrdinaryUser({ subordinate: false })];
    const [tree, loneTree] = [user.tree('busybox'), lone.tree('busybox')];
    const built = join(wireDirectory(), 'wire');
    for (const [path, owner] of [
      [tree, user],
      [loneTree, lone],
    ] as const) {
      mkdirSync(join(path, 'opt'), { recursive: true });
      copyFileSync(built, join(path, 'opt/wire'));
      for (const made of ['opt', 'opt/wire']) {
        chmodSync(join(path, made), 0o755);
        lchownSync(join(path, made), owner.uid, owner.gid);
      }
    }
    known = { user, lone, tree, loneTree, wire: built };
  }
  return known;
}

/** Runs the test on a host that has these programs and no others of their kind. */
async function withHost(
  kinds: readonly Kind[],
  body: (place: Place) => Promise<void>,
  user = users().user,
): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'tsnspawn-host-'));
  const hidden = KINDS.filter((kind) => !kinds.includes(kind));
  const [host, outside] = [
    new Network(
      [
        `mount -t tmpfs -o mode=755 none ${directory}/`,
        `mknod -m 666 ${directory}/tun c 10 200`,
        `mount --bind ${directory}/tun /dev/net/tun`,
        `printf 'nameserver 127.0.0.53\\nsearch lan\\n' > ${directory}/resolv.conf`,
        `mount --bind ${directory}/resolv.conf /etc/resolv.conf`,
        ...hidden.map((kind) => `! path=$(command -v ${kind}) || mount --bind /dev/null "$path"`),
      ].join('; '),
    ),
    new Network(),
  ];
  try {
    await Promise.all([host.ready(), outside.ready()]);
    cable(host, 'eth0', outside, 'eth0');
    outside.run(
      `ip addr add ${GATEWAY}/24 dev eth0; ip addr add ${OUTSIDE}/32 dev lo; ip route replace 203.0.113.0/24 dev eth0 src ${OUTSIDE}; ip addr add 2001:db8::1/64 dev eth0 nodad`,
    );
    host.run(
      `ip addr add ${HOST}/24 dev eth0; ip addr add ${OTHER}/24 dev eth0; ip addr add ${HOST6}/64 dev eth0 nodad;` +
        `ip route add default via ${GATEWAY}; ip -6 route add default via 2001:db8::1`,
    );
    const start = (...args: readonly string[]): Running => user.start(args, { host: host.words });
    await body({ host, outside, start });
  } finally {
    await Promise.all([host.close(), outside.close()]);
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Runs the machine for the time of the test, and then ends it as a user does. */
function withMachine(
  { start }: Place,
  args: readonly string[],
  body: (running: Running) => Promise<void>,
): Promise<void> {
  return withRunning(start('-qPD', users().tree, '-M', 'm', ...args), async (running) => {
    await body(running);
    running.child.kill('SIGTERM');
    await running.exited;
  });
}

/** What a machine says that runs to its end. */
async function said(running: Running): Promise<{ status: number | null; output: string }> {
  return withRunning(running, async () => {
    const { status } = await running.exited;
    return { status, output: running.output };
  });
}

function ask(network: Network, protocol: 'tcp' | 'udp', address: string, port: number): string | undefined {
  const { status, stdout } = network.try(users().wire, 'ask', protocol, address, String(port));
  return status === 0 ? stdout.trim() : undefined;
}

/** What runs as the user, by name. */
function running(user = users().user): string[] {
  return processes().flatMap((pid) => {
    try {
      const status = readFileSync(`/proc/${pid}/status`, 'utf8');
      return Number(/^Uid:\s+(\d+)/m.exec(status)?.[1]) === user.uid ? [/^Name:\s+(.*)$/m.exec(status)?.[1] ?? ''] : [];
    } catch {
      return []; // gone meanwhile
    }
  });
}

/** The process group of a process. */
function groupOf(pid: number): number | undefined {
  try {
    return Number(readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ')[2]);
  } catch {
    return undefined; // gone meanwhile
  }
}

/** Processes of the user's that are this program. */
function helpers(kind: Kind): number[] {
  return processes().filter((pid) => {
    try {
      const uid = /^Uid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
      return commandLine(pid).split(' ')[0]?.endsWith(`/${kind}`) && Number(uid) === users().user.uid;
    } catch {
      return false;
    }
  });
}

const nothingRuns = (): Promise<void> => eventually(() => running().length === 0, 'nothing runs as the user');

/** Answers on the host, at its loopback alone, to whoever asks after a name. */
const NAMES = `
const socket = require('node:dgram').createSocket('udp4');
socket.on('message', (query, { port, address }) => {
  const end = query.indexOf(0, 12) + 5;
  const asked = query.readUInt16BE(end - 4);
  const head = Buffer.concat([query.subarray(0, 2), Buffer.from([0x81, 0x80, 0, 1, 0, asked === 1 ? 1 : 0, 0, 0, 0, 0])]);
  const answer = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, ${ANSWER.replaceAll('.', ', ')}]);
  socket.send(Buffer.concat([head, query.subarray(12, end), ...(asked === 1 ? [answer] : [])]), port, address);
});
socket.bind(53, '127.0.0.53', () => console.log('answering'));
`;

each('host0 has an address, a route, and a hardware address when the payload starts', async (kind, place) => {
  const script = 'ip -o -4 addr show host0; ip route; cat /sys/class/net/host0/address; echo $(ls /sys/class/net)';
  const args = ['-qPD', users().tree, '-n', 'sh', '-c', script];
  const first = await said(place.start(...args));
  assert.is(first.status, 0, first.output);
  assert.match(first.output, kind === 'pasta' ? new RegExp(`inet ${HOST}/24`) : /inet 10\.0\.2\.15\/24/);
  assert.match(first.output, /^default via .* dev host0/m);
  assert.match(first.output, /^host0 lo$/m);
  assert.is((await said(place.start(...args))).output, first.output);
  await nothingRuns();
});

each('the guest reaches other machines, and the host’s loopback at its gateway', async (_, place) => {
  const { host, outside, start } = place;
  const { wire, tree } = users();
  await withRunning(outside.start([wire, 'serve', '7000']), async (server) => {
    await server.until(/serving/);
    await withRunning(host.start([wire, 'serve', '7001']), async (own) => {
      await own.until(/serving/);
      const gateway = "$(ip route | sed -n 's/default via \\([^ ]*\\).*/\\1/p')";
      const script = ['tcp', 'udp']
        .flatMap((protocol) => [`ask ${protocol} ${OUTSIDE} 7000`, `ask ${protocol} ${gateway} 7001`])
        .map((words) => `/opt/wire ${words}`)
        .join(' && ');
      const { status, output } = await said(start('-qPD', tree, '-n', 'sh', '-c', script));
      // as one of the host's programs, and as one that asks over the loopback
      assert.is(output, `::ffff:${HOST}\n::ffff:127.0.0.1\n::ffff:${HOST}\n::ffff:127.0.0.1\n`);
      assert.is(status, 0);
    });
  });
});

each('names are looked up where the host does it, also where that is its own loopback', async (_, { host, start }) => {
  await withRunning(host.start([process.execPath, '-e', NAMES]), async (server) => {
    await server.until(/answering/);
    for (const option of ['--resolv-conf=auto', '--read-only']) {
      const { output } = await said(start('-qPD', users().tree, '-n', option, 'nslookup', 'some.name.example'));
      assert.match(output, new RegExp(`Address: ${ANSWER.replaceAll('.', '\\.')}`));
    }
  });
});

each(
  'ports lead to the guest, from the loopback, from the host’s address, and from other machines',
  async (_, place) => {
    const { host, outside } = place;
    await withMachine(
      place,
      ['-n', '-p', '8080:80', '-p', 'udp:8081:80', '/opt/wire', 'serve', '80'],
      async (machine) => {
        await machine.until(/serving/);
        for (const address of ['127.0.0.1', '::1', HOST, HOST6]) {
          assert.ok(ask(host, 'tcp', address, 8080), `tcp ${address}`);
          assert.ok(ask(host, 'udp', address, 8081), `udp ${address}`);
        }
        for (const address of [HOST, OTHER, HOST6]) {
          assert.ok(ask(outside, 'tcp', address, 8080), `tcp ${address} from outside`);
          assert.ok(ask(outside, 'udp', address, 8081), `udp ${address} from outside`);
        }
        assert.is(ask(host, 'tcp', '127.0.0.1', 8081), undefined);
        assert.is(host.try(users().wire, 'count', '127.0.0.1', '8080').stdout.trim(), String(1 << 20));
      },
    );
    await nothingRuns();
    assert.is(ask(host, 'tcp', '127.0.0.1', 8080), undefined);
  },
);

each('a user without subordinate ids has it too', async (kind) => {
  const { lone, loneTree } = users();
  await withHost(
    [kind],
    async ({ host, start }) => {
      const words = ['-qPD', loneTree, '-n', '-p', '8080:80', '/opt/wire', 'serve', '80'];
      await withRunning(start(...words), async (machine) => {
        await machine.until(/serving/);
        assert.ok(ask(host, 'tcp', '127.0.0.1', 8080));
      });
    },
    lone,
  );
  await eventually(() => running(lone).length === 0, 'nothing runs as the user');
});

each('a reboot of the guest gives it a new one, and its ports', async (kind, place) => {
  const script =
    'test -e /root/once || { touch /root/once; echo first; reboot -f; sleep 1000; }; exec /opt/wire serve 80';
  await withMachine(place, ['-x', '-n', '-p', '8080:80', 'sh', '-c', script], async (machine) => {
    await machine.until(/first[\s\S]*serving/);
    assert.ok(ask(place.host, 'tcp', '127.0.0.1', 8080));
    assert.is(helpers(kind).length, 1);
  });
  await nothingRuns();
});

each('nothing of it is left when launcher or monitor are killed', async (kind, place) => {
  for (const victim of ['launcher', 'monitor'] as const) {
    const machine = place.start('-qPD', users().tree, '-n', '-p', '8080:80', 'sh', '-c', 'echo ready; exec sleep 1000');
    await withRunning(machine, async () => {
      await machine.until(/ready/);
      assert.is(helpers(kind).length, 1);
      const monitor = monitorBelow(machine.pid);
      assert.ok(monitor);
      process.kill(victim === 'monitor' ? monitor : machine.pid, 'SIGKILL');
      await machine.exited;
      await nothingRuns();
    });
  }
});

each(
  'the program gets no descriptor of the launch, no keys of its terminal, and its output goes nowhere',
  async (kind, place) => {
    await withMachine(place, ['-n', 'sh', '-c', 'echo ready; exec sleep 1000'], async (machine) => {
      await machine.until(/ready/);
      const [helper] = helpers(kind);
      assert.ok(helper);
      const launcher = new Set(
        readdirSync(`/proc/${machine.pid}/fd`).map((fd) => readlinkSync(`/proc/${machine.pid}/fd/${fd}`)),
      );
      const shared = readdirSync(`/proc/${helper}/fd`)
        .map((fd) => readlinkSync(`/proc/${helper}/fd/${fd}`))
        .filter((target) => /^(pipe|socket|\/memfd)/.test(target) && launcher.has(target));
      assert.equal(shared, []);
      // an interrupt asks the guest to shut down, for which it may need its network
      assert.is.not(groupOf(helper), groupOf(machine.pid));
      assert.is(machine.output, 'ready\n');
    });
  },
);

each('when the program dies the guest goes on, and the launcher says that its network is lost', async (kind, place) => {
  await withMachine(place, ['-n', 'sh', '-c', 'echo ready; read line; ip -o link | wc -l'], async (machine) => {
    await machine.until(/ready/);
    for (const helper of helpers(kind)) process.kill(helper, 'SIGKILL');
    await machine.until(/Container m has lost its network: the program that gave it has ended\./);
    machine.write('\n');
    await machine.until(/^1$/m);
  });
});

each('what goes wrong with the program is told in its words, and nothing is started', async (kind, place) => {
  const file = '/mnt/program';
  place.host.run(
    `mount -t tmpfs none /mnt; touch ${file}; chmod 755 ${file}; mount --bind ${file} $(command -v ${kind})`,
  );
  for (const [content, words] of [
    ['#!/bin/sh\\necho "it rains" >&2\\nexit 3', 'it rains'],
    ['no program', 'it cannot be executed'],
  ]) {
    place.host.run(`printf '${content}' > ${file}`);
    const { status, output } = await said(place.start('-qPD', users().tree, '-n', 'echo', 'started'));
    const message = `tsnspawn: --network-veth: cannot connect the container through \\S+/${kind}: ${words}\n`;
    assert.match(output, new RegExp(`^${message}$`));
    assert.is(status, 1);
  }
  await nothingRuns();
});

/** A Debian that asks by DHCP and serves: made at the first call. */
let booting: string | undefined;
function debian(): string {
  if (booting === undefined) {
    const { user, wire } = users();
    booting = user.tree('bookworm');
    const units = join(booting, 'etc/systemd/system');
    const wants = join(units, 'multi-user.target.wants');
    const made = [join(booting, 'usr/local/bin/wire'), join(units, 'wire.service'), wants] as const;
    copyFileSync(wire, made[0]);
    writeFileSync(made[1], '[Service]\nExecStart=/usr/local/bin/wire serve 80\n');
    mkdirSync(wants, { recursive: true });
    const links = ['wire', 'systemd-networkd'].map((unit) => join(wants, `${unit}.service`));
    for (const link of links) symlinkSync(basename(link), link);
    for (const path of [...made, ...links]) lchownSync(path, user.uid, user.gid);
  }
  return booting;
}

for (const kind of KINDS) {
  const inCgroup = only(test, REASON ?? needs(`command:${kind}`, 'cgroup2', 'mirror'));
  inCgroup(`${kind}: systemd-networkd takes host0 over by DHCP, and the ports still lead there`, () =>
    withHost([kind], async ({ host }) => {
      const { user } = users();
      const words = ['-bD', debian(), '-M', 'm', '-n', '-p', '8080:80'];
      const options = { cgroup: user.cgroup(), host: host.words, timeout: 90 };
      await withRunning(user.startOnTerminal(words, options), async (machine) => {
        await machine.until(/root@\S*:~# $/m);
        // asked from the other side of the quotes, so that the echo of the line does not count
        machine.write('until networkctl status host0 | grep "DHCP4 via"; do sleep 0.1; done; echo do""ne\n');
        await machine.until(/DHCP4 via[\s\S]*done/);
        assert.ok(ask(host, 'tcp', '127.0.0.1', 8080));
        assert.is(ask(host, 'udp', HOST, 8080), undefined);
        machine.write('systemctl poweroff\n');
        assert.is((await machine.exited).status, 0);
      });
    }),
  );
}

each('root of a container that lacks CAP_SYS_ADMIN has it too', async (_, { host }) => {
  const tree = ownTree('busybox');
  copyFileSync(users().wire, join(tree, 'bin/wire'));
  const words = [
    'setpriv',
    '--bounding-set=-sys_admin,-net_admin',
    '--',
    TSNSPAWN,
    '-qPD',
    tree,
    '-n',
    '-p',
    '8080:80',
  ];
  await withRunning(host.start([...words, 'wire', 'serve', '80']), async (machine) => {
    await machine.until(/serving/);
    assert.ok(ask(host, 'tcp', HOST, 8080));
  });
});

it('root of a user namespace that has a network of its own makes cables there, and joins other ones', () => {
  const { user, tree } = users();
  const command = [...user.command, '-qPD', tree, '-M', 'm'].join(' ');
  const links = 'cut -d: -f1 /proc/net/dev | tail -n +3 | xargs';
  const script = [
    'mount -t tmpfs none /run && ip netns add lab && ip link add left type veth peer name right netns lab',
    `${command} -n sh -c "${links}"`,
    `${command} --network-namespace-path=/run/netns/lab sh -c "${links}"`,
  ].join(' && ');
  const { status, stdout, stderr } = user.run(['unshare', '-Urnm', 'sh', '-c', script]);
  assert.equal([status, stdout], [0, 'lo host0\nlo right\n'], stderr);
});

it('a host with neither program gets an error that says what to install, before anything is started', () =>
  withHost([], async ({ start }) => {
    const { tree } = users();
    const { status, output } = await said(start('-qD', tree, '-n', 'touch', '/root/started'));
    assert.match(output, /--network-veth: without root it takes pasta or slirp4netns, and neither is installed/);
    assert.match(output, /hint: install passt or slirp4netns/);
    assert.is(status, 1);
    assert.not.ok(existsSync(join(tree, 'root/started')));
  }));

only(test, REASON ?? needs('command:pasta', 'command:slirp4netns'))('a host without a route gets slirp4netns', () =>
  withHost(['pasta', 'slirp4netns'], async ({ host, start }) => {
    const args = ['-qPD', users().tree, '-n', 'ip', '-o', '-4', 'addr', 'show', 'host0'] as const;
    assert.match((await said(start(...args))).output, new RegExp(`inet ${HOST}/24`));
    host.run('ip route del default; ip -6 route del default');
    assert.match((await said(start(...args))).output, /inet 10\.0\.2\.15\/24/);
  }),
);

only(test, REASON ?? needs('command:pasta'))('a port that is taken is an error that names it', () =>
  withHost(['pasta'], async ({ host, start }) => {
    await withRunning(host.start([users().wire, 'serve', '8080']), async (server) => {
      await server.until(/serving/);
      const { status, output } = await said(start('-qPD', users().tree, '-n', '-p', '8080:80', 'echo', 'started'));
      assert.match(output, /cannot forward the port tcp:8080 of the host: Address already in use\nhint: /);
      assert.not.match(output, /started/);
      assert.is(status, 1);
      await eventually(() => running().length === 0, 'nothing runs as the user');
    });
  }),
);

only(test, REASON ?? needs('command:pasta'))(
  'a port that is for root is refused, or given where the kernel gives it',
  () =>
    withHost(['pasta'], async (place) => {
      const { status, output } = await said(place.start('-qPD', users().tree, '-n', '-p', '80', 'echo', 'started'));
      assert.match(
        output,
        /only root can have the port tcp:80 of the host\nhint: .*net\.ipv4\.ip_unprivileged_port_start=80/,
      );
      assert.is(status, 1);
      place.host.run('echo 80 > /proc/sys/net/ipv4/ip_unprivileged_port_start');
      await withMachine(place, ['-n', '-p', '80', '/opt/wire', 'serve', '80'], async (machine) => {
        await machine.until(/serving/);
        assert.ok(ask(place.host, 'tcp', '127.0.0.1', 80));
      });
    }),
);

it('what changes the host’s network is refused by name', () =>
  withHost(['pasta'], async ({ host, start }) => {
    for (const option of [
      '--network-bridge=eth0',
      '--network-zone=z',
      '--network-macvlan=eth0',
      '--network-interface=eth0',
    ]) {
      const { status, output } = await said(start('-qPD', users().tree, option, 'echo', 'started'));
      assert.match(output, new RegExp(`^tsnspawn: ${option}.*: only root can`));
      assert.is(status, 1);
    }
    assert.equal(host.links(), ['eth0']);
  }));

test.run();
