import { execFileSync } from 'node:child_process';
import { type HostFacts, type LaunchPlan, TreeError } from '@tsnspawn/core';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { version } from '../../packages/cli/package.json';
import { launch, type Runtime } from '../../packages/cli/src/launch';
import { renderPlan } from '../../packages/cli/src/render/plan';
import { host, planOf, tree, user } from './fixtures';

interface Told {
  status: number;
  out: string;
  err: string;
  plan?: LaunchPlan;
  directory?: string;
}

/** Runs the command against a made-up machine. */
async function command(argv: readonly string[], facts: HostFacts = host()): Promise<Told> {
  const told: Told = { status: -1, out: '', err: '' };
  const output = {
    out: (text: string) => {
      told.out += text;
    },
    err: (text: string) => {
      told.err += text;
    },
  };
  const runtime: Runtime = {
    probeHost: () => facts,
    probeTree: (directory) => {
      told.directory = directory;
      if (directory === 'missing') throw new TreeError('cannot use missing as the tree: no such directory');
      return tree();
    },
    findSettings: () => undefined,
    openImage: () => {
      throw new Error('an image was opened');
    },
    supervise: (plan, options) => {
      told.plan = plan;
      if (!options.quiet) options.say(`Spawning container ${plan.machine} on ${options.tree.path}.`);
      return 42;
    },
  };
  told.status = await launch(argv, {}, output, runtime);
  return told;
}

// the launch looks at the sources of binds itself, and os-release is one: a path that every machine has
const HERE = host({ osReleasePath: '/' });

test('a plan is told by side and numbered through', () => {
  const plan = planOf(['--pipe', '--bind=/data:/srv', '--drop-capability=all', 'sh', '-c', 'exit 7'], host());
  const small = {
    ...plan,
    inner: plan.inner.filter(({ op }) => ['bind', 'hostname', 'identity', 'exec'].includes(op)).slice(-4),
  };
  assert.is(
    renderPlan(small),
    `container   debian-tree
namespaces  mnt pid uts ipc
console     pipe
shutdown    kill
on reboot   start again

on the host, before the container exists
  1  make the cgroup /sys/fs/cgroup/user.slice/tsnspawn-debian-tree-77
  2  open /srv/debian-tree
  3  open /usr/lib/os-release (ro,nosuid,nodev,noexec)
  4  open /data

in the container
  5  bind /data of the host to /srv
  6  set the host name debian-tree
  7  take the identity of the payload
       capabilities: none
  8  execute sh
       arguments: -c 'exit 7'
       environment: PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin container=tsnspawn
                    TERM=xterm container_uuid=11111111-2222-4333-8444-555555555555
                    NOTIFY_SOCKET=/run/host/notify LANG=C.UTF-8 container_host_id=debian
                    container_host_version_id=12
`,
  );
});

test('--dry-run needs no root and starts nothing', async () => {
  const { status, out, err, plan } = await command(['-D', 'tree', '--dry-run', '-b'], user(HERE));
  assert.equal([status, err, plan], [0, '', undefined]);
  assert.match(out, /execute \/usr\/lib\/systemd\/systemd or/);
});

test('--dry-run=json prints the plan itself', async () => {
  const { out } = await command(['--dry-run=json', 'true'], HERE);
  const plan = JSON.parse(out) as LaunchPlan;
  assert.equal([plan.engine, plan.machine], ['namespaces', 'debian-tree']);
});

test('a launch carries the plan out and ends with the status of the payload', async () => {
  const { status, out, err, plan } = await command(['-D', 'tree', 'true'], HERE);
  assert.equal([status, out, plan?.machine], [42, '', 'tree']);
  assert.is(err, 'Spawning container tree on /srv/debian-tree.\n');
});

test('--quiet says nothing', async () => {
  assert.is((await command(['-q', 'true'], HERE)).err, '');
});

test('an ordinary user launches where there are user namespaces, and not where there are none', async () => {
  assert.is((await command(['-D', 'tree', 'true'], user(HERE))).status, 42);
  const none = user({ ...HERE, userNamespaces: false });
  const { status, err, plan } = await command(['--engine=namespaces', 'true'], none);
  assert.equal([status, plan], [1, undefined]);
  assert.match(err, /^tsnspawn: without root a container needs user namespaces.*\nhint: .*sudo tsnspawn/);
});

test('what the engine ptrace cannot do is refused before anything is found missing for it', async () => {
  const { status, err } = await command(['--engine=ptrace', '--network-veth', 'true'], user(HERE));
  assert.is(status, 1);
  assert.match(err, /^tsnspawn: --network-veth: the engine ptrace cannot give a network of its own\n/);
});

test('where there are no user namespaces an ordinary user gets the engine ptrace, and is told what is lost', async () => {
  const none = user({ ...HERE, userNamespaces: false });
  const { status, err, plan } = await command(['-q', 'true'], none);
  assert.equal([status, err, plan?.engine], [42, '', 'ptrace']);
  assert.match(
    (await command(['true'], none)).err,
    /^tsnspawn: warning: .*no user namespaces; .*no security boundary\n/,
  );
});

test('an image is for root alone', async () => {
  const { status, err } = await command(['-i', 'disk.raw', '--dry-run'], user(HERE));
  assert.is(status, 1);
  assert.match(err, /^tsnspawn: --image: cannot mount the image disk.raw: only root can\nhint: /);
});

test('without -D and -M the tree is the current directory', async () => {
  assert.is((await command(['--dry-run'], HERE)).directory, '.');
  assert.match(
    (await command(['-M', 'no-such-machine'], HERE)).err,
    /no tree for the machine no-such-machine\nhint: looked in/,
  );
});

test('a mistake is told before anything starts, in one line and with status 1', async () => {
  for (const argv of [['--nope'], ['-D', 'missing'], ['--bind=/no/such/source:/x', 'true']]) {
    const { status, err, out, plan } = await command(argv, HERE);
    assert.equal([status, out, plan], [1, '', undefined], argv.join(' '));
    assert.match(err, /^tsnspawn: [^\n]+\n(hint: [^\n]+\n)?$/);
  }
});

test('--help lists every option on standard output, --version the version of the package', async () => {
  const help = await command(['--help']);
  assert.is(help.status, 0);
  for (const option of ['-D, --directory=DIR', '--volatile[=MODE]', '--suppress-sync=BOOL', '-P, --pipe'])
    assert.ok(help.out.includes(option), option);
  for (const text of ['tsnspawn boot-check [OPTIONS]', 'tsnspawn bootstrap SUITE DIR', 'Ctrl-] Ctrl-] p '])
    assert.ok(help.out.includes(text), text);
  assert.is((await command(['--version'])).out, `tsnspawn ${version}\n`);
  assert.match((await command(['--kill-signal=help'])).out, /^SIGHUP\nSIGINT\n[\s\S]*\nSIGRTMIN\+3\n/);
});

test('the help of a verb has a word for the value of an option', () => {
  const help = execFileSync('packages/cli/bin/tsnspawn.cjs', ['bootstrap', '--help'], { encoding: 'utf8' });
  assert.match(help, /^ {2}--variant VALUE +system/m);
  assert.not.match(help, /#0/);
});

test.run();
