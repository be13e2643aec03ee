// Which name servers and which time zone a guest gets: every mode, and what is chosen when nothing is said.

import type { HostFacts, LaunchPlan, Step, TreeFacts } from '@tsnspawn/core';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { environmentOf, host, planOf, specIn, stepsOf, tree, viewOf } from './fixtures';

const RESOLV = '/etc/resolv.conf';
const LOCALTIME = '/etc/localtime';

const resolver = { host: 'host', static: 'static', uplink: 'uplink', stub: 'stub', stubListens: false };
const berlin = { link: '/usr/share/zoneinfo/Europe/Berlin', content: 'TZif' };

/** What is done to a path of the tree, in a word: `write DATA`, `replace DATA`, `bind SOURCE`, `link TARGET`, `remove`. */
function done(plan: LaunchPlan, path: string): string {
  const acts = plan.inner.flatMap((step: Step): string[] => {
    const may = 'try' in step && step.try === true ? '?' : '';
    if (step.op === 'putFile' && step.path === path)
      return [`${step.replace === true ? 'replace' : 'write'}${may} ${step.data.bytes}`];
    if (step.op === 'removeFile' && step.path === path) return [`remove${may}`];
    if (step.op === 'symlink' && step.path === path) return [`link${may} ${step.target}`];
    if (step.op === 'bind' && step.target === path) {
      const from = typeof step.source === 'string' ? step.source : step.source.from;
      const open = stepsOf(plan.outer, 'openTree').find(({ as }) => as === from);
      return [
        `bind${may}${step.coverLink === true ? ' over the link' : ''}${step.nofollow === true ? ' but no link' : ''} ${from} ${open?.flags}`,
      ];
    }
    return [];
  });
  return acts.join('; ') || 'nothing';
}

const resolv = (argv: string[], facts: Partial<HostFacts> = { resolver }, t: Partial<TreeFacts> = {}) =>
  done(planOf(argv, host(facts), tree(t)), RESOLV);
const zone = (argv: string[], facts: Partial<HostFacts> = { localtime: berlin }, t: Partial<TreeFacts> = {}) =>
  done(planOf(argv, host(facts), tree(t)), LOCALTIME);

test('by default the file of the host is written into the one of the tree, and may fail', () => {
  assert.is(resolv([]), 'write? host');
});

test('by default a guest with a network of its own keeps its file', () => {
  assert.is(resolv(['--private-network']), 'nothing');
  assert.is(resolv(['--network-veth']), 'nothing');
});

test('by default the stub of systemd-resolved is taken where it listens, and only there', () => {
  assert.is(resolv([], { resolver: { ...resolver, stubListens: true } }), 'write? stub');
  assert.is(resolv([], { resolver: { ...resolver, stub: undefined, stubListens: true } }), 'write? host');
});

test('by default the file goes when the host has none', () => {
  assert.is(resolv([], { resolver: { ...resolver, host: undefined } }), 'remove?');
  assert.is(resolv(['--read-only'], { resolver: { ...resolver, host: undefined } }), 'nothing');
});

test('by default a tree that is not written to gets the file bound', () => {
  const bound = 'bind? but no link /etc/resolv.conf ro,nosuid,nodev';
  assert.is(resolv(['--read-only']), bound);
  assert.is(resolv([], { resolver }, { writable: false }), bound);
  assert.is(resolv(['--volatile=state']), bound);
  assert.is(resolv(['--volatile=overlay']), 'write? host');
  assert.is(resolv(['--volatile=yes']), 'write? host');
  const stub = { resolver: { ...resolver, stubListens: true } };
  assert.is(resolv(['--read-only'], stub), 'bind? but no link /run/systemd/resolve/stub-resolv.conf ro,nosuid,nodev');
});

test('by default what the user has mounted there stays', () => {
  assert.is(resolv(['--bind=/srv/resolv.conf:/etc/resolv.conf']), 'bind /srv/resolv.conf ');
  assert.is(resolv(['--bind=/etc']), 'nothing');
  assert.is(resolv(['--bind-ro=/srv/etc:/etc']), 'nothing');
  assert.is(resolv(['--tmpfs=/etc']), 'write? host');
});

const FILES = {
  host: '/etc/resolv.conf',
  static: '/usr/lib/systemd/resolv.conf',
  uplink: '/run/systemd/resolve/resolv.conf',
  stub: '/run/systemd/resolve/stub-resolv.conf',
};

for (const [what, path] of Object.entries(FILES)) {
  test(`--resolv-conf takes the ${what} file as it was asked for, also with a network of its own`, () => {
    assert.is(resolv([`--resolv-conf=copy-${what}`, '--private-network']), `write ${what}`);
    assert.is(resolv([`--resolv-conf=replace-${what}`]), `replace ${what}`);
    assert.is(resolv([`--resolv-conf=bind-${what}`]), `bind over the link ${path} ro,nosuid,nodev`);
  });
}

test('--resolv-conf=off and delete leave the file and take it away', () => {
  assert.is(resolv(['--resolv-conf=off']), 'nothing');
  assert.is(resolv(['--resolv-conf=no']), 'nothing');
  assert.is(resolv(['--resolv-conf=delete']), 'remove');
});

test('what was asked for by name and has no effect is told', () => {
  const warned = (argv: string[], facts: Partial<HostFacts> = {}) =>
    viewOf(argv, host({ resolver, localtime: berlin, ...facts })).warnings.join('\n');
  assert.match(
    warned(['--resolv-conf=copy-stub'], { resolver: {} }),
    /--resolv-conf=copy-stub: .*stub-resolv\.conf .*cannot be read/,
  );
  assert.match(warned(['--resolv-conf=copy-host', '--read-only']), /--resolv-conf=copy-host: the tree is read-only/);
  assert.match(warned(['--resolv-conf=delete', '--read-only']), /read-only/);
  assert.match(
    warned(['--timezone=symlink'], { localtime: { content: 'TZif' } }),
    /--timezone=symlink: .*no link to a time zone/,
  );
  assert.match(warned(['--timezone=copy'], { localtime: undefined }), /--timezone=copy: .*cannot be read/);
  assert.is(warned(['--read-only']), '');
  assert.is(warned([], { resolver: {}, localtime: undefined }), '');
});

test('by default the time zone of the host is a link where the tree has it, else the file is bound', () => {
  assert.is(zone([], undefined, { hasZone: true }), 'link? ../usr/share/zoneinfo/Europe/Berlin');
  assert.is(zone([], undefined, { hasZone: false }), 'bind? /etc/localtime ro,nosuid,nodev');
  assert.is(zone(['--read-only'], undefined, { hasZone: true }), 'bind? /etc/localtime ro,nosuid,nodev');
  const relative = { localtime: { ...berlin, link: '../usr/share/zoneinfo/Europe/Berlin' } };
  assert.is(zone([], relative, { hasZone: true }), 'link? ../usr/share/zoneinfo/Europe/Berlin');
});

test('by default a host without a link is copied, and one without a time zone has none to give', () => {
  assert.is(zone([], { localtime: { content: 'TZif' } }), 'replace? TZif');
  assert.is(zone([], { localtime: { link: '/etc/zone', content: 'TZif' } }), 'replace? TZif');
  assert.is(zone(['--read-only'], { localtime: { content: 'TZif' } }), 'bind? /etc/localtime ro,nosuid,nodev');
  assert.is(zone([], { localtime: undefined }), 'remove?');
  assert.is(zone(['--read-only'], { localtime: undefined }), 'nothing');
});

test('--timezone does what it was asked for', () => {
  assert.is(zone(['--timezone=off']), 'nothing');
  assert.is(zone(['--timezone=delete']), 'remove');
  assert.is(zone(['--timezone=copy']), 'replace TZif');
  assert.is(zone(['--timezone=bind']), 'bind over the link /etc/localtime ro,nosuid,nodev');
  assert.is(
    zone(['--timezone=symlink'], { localtime: berlin }, { hasZone: true }),
    'link ../usr/share/zoneinfo/Europe/Berlin',
  );
  assert.is(zone(['--timezone=symlink'], { localtime: berlin }), 'bind over the link /etc/localtime ro,nosuid,nodev');
});

test('credentials lie in memory that is not swapped out, for root alone, and PID 1 is told where', () => {
  const plan = planOf(['--set-credential=a:one', '--set-credential=b:\\x00\\xff', 'true']);
  const mount = stepsOf(plan.inner, 'mount').find(({ target }) => target === '/run/host/credentials');
  assert.equal([mount?.fs, mount?.flags, mount?.data], ['ramfs', ['nosuid', 'nodev', 'noexec'], 'mode=0500']);
  const files = stepsOf(plan.inner, 'writeFile').filter(({ path }) => path.startsWith('/run/host/credentials/'));
  assert.equal(
    files.map(({ path, mode, data }) => [path, mode, data]),
    [
      ['/run/host/credentials/a', 0o400, { bytes: 'one' }],
      ['/run/host/credentials/b', 0o400, { bytes: '\0\xff' }],
    ],
  );
  assert.is(environmentOf(plan).CREDENTIALS_DIRECTORY, '/run/host/credentials');
  assert.is(environmentOf(planOf(['true'])).CREDENTIALS_DIRECTORY, undefined);
});

test('credentials are open to a user who is the only one that there will be', () => {
  const modes = (...argv: string[]) =>
    stepsOf(planOf(['--set-credential=a:one', ...argv]).inner, 'writeFile').find(({ path }) => path.endsWith('/a'))
      ?.mode;
  assert.is(modes('-u', 'joe', '--no-new-privileges=yes', 'true'), 0o444);
  assert.is(modes('-u', 'joe', 'true'), 0o400);
  assert.is(modes('-u', 'joe', '--no-new-privileges=yes', '--as-pid2', 'true'), 0o400);
  assert.is(modes('--no-new-privileges=yes', 'true'), 0o400);
});

test('--proc=read-only closes all of /proc, last before the filters', () => {
  const { inner } = planOf(['--proc=read-only', '--private-network', '--oom-score-adjust=5', 'true']);
  const closing = inner.findIndex((step) => step.op === 'remount' && step.target === '/proc');
  assert.equal(inner[closing], { op: 'remount', target: '/proc', flags: ['ro'] });
  assert.ok(closing > inner.findIndex(({ op }) => op === 'oomScoreAdjust'));
  assert.is(inner[closing + 1]?.op, 'seccomp');
  assert.not.ok(stepsOf(inner, 'bind').some(({ target }) => target === '/proc/sys/net'));
});

test('--proc=read-only is refused for an init, with the reason', () => {
  for (const argv of [['-b'], ['/sbin/init'], ['/usr/lib/systemd/systemd']])
    assert.throws(() => planOf(['--proc=read-only', ...argv]), /--proc=read-only is not for an init: it writes to/);
});

test('SYSTEMD_NSPAWN_API_VFS_WRITABLE opens /proc/sys and /sys, or the part of them about the network', async () => {
  const { lower, view } = await import('@tsnspawn/core');
  const plan = (value: string, ...argv: string[]) => {
    const env = { SYSTEMD_NSPAWN_API_VFS_WRITABLE: value };
    return lower(view(specIn(env, ...argv), host(), tree()), host(), { pid: 1, uuid: '0'.repeat(32) }).inner;
  };
  const covers = (steps: readonly Step[]) =>
    stepsOf(steps, 'bind')
      .map(({ target }) => target)
      .filter((target) => target.startsWith('/proc/'));
  const sys = (steps: readonly Step[]) => stepsOf(steps, 'mount').find(({ target }) => target === '/sys');
  const open = plan('1', 'true');
  assert.equal(covers(open), ['/proc/kmsg', '/proc/sys/kernel/random/boot_id']);
  assert.equal([sys(open)?.fs, sys(open)?.flags.includes('ro')], ['sysfs', false]);
  const own = plan('yes', '--private-network', 'true');
  const parts = stepsOf(own, 'bind').filter(({ target }) => /^\/sys\/\w+$/.test(target));
  assert.ok(parts.length > 3 && parts.every(({ flags }) => !flags.includes('ro')));
  const network = plan('network', 'true');
  assert.ok(covers(network).includes('/proc/sys/net') && covers(network).includes('/proc/kcore'));
  assert.is(sys(network)?.fs, 'tmpfs');
  assert.throws(() => specIn({ SYSTEMD_NSPAWN_API_VFS_WRITABLE: 'maybe' }, 'true'), /API_VFS_WRITABLE/);
});

const ID = 'a'.repeat(32);

test('journals are joined as far as the host has a place for them', () => {
  const path = `/var/log/journal/${ID}`;
  const at = (place: 'missing' | 'empty' | 'directory' | 'link', ...argv: string[]) => {
    const journal = { id: ID, same: false, place, inTree: `/srv/debian-tree${path}` };
    const { outer, inner } = planOf(argv, host({ journal }));
    return [...outer, ...inner].flatMap((step) => {
      if (step.op === 'mkdir' && step.path === path)
        return [`make${step.replace === true ? ' in place of a link' : ''}`];
      if (step.op === 'symlink' && step.path === path) return [`link to ${step.target}`];
      return step.op === 'bind' && step.target === path ? ['bind'] : [];
    });
  };
  assert.equal(at('directory'), ['bind']);
  assert.equal(at('missing', '--link-journal=host'), ['make in place of a link', 'bind']);
  assert.equal(at('link', '--link-journal=guest'), [`link to /srv/debian-tree${path}`, 'make']);
  assert.equal(at('directory', '--link-journal=no'), []);
  assert.equal(at('directory', '--ephemeral'), []);
  assert.equal(at('directory', '-j'), []);
  assert.throws(() => at('directory', '--link-journal=guest'), /--link-journal=guest: .*not empty/);
});

test('bound users get ids of their own until there are no more', () => {
  const users = [{ name: 'zoe', uid: 1000, gid: 100, home: '/home/zoe', shell: '' }];
  const argv = ['--private-users=524288', '--bind-user=zoe', '-u', 'zoe', 'true'];
  const plan = planOf(argv, host({ users }), tree({ accounts: { names: [], groups: [], ids: [60514] } }));
  assert.equal(stepsOf(plan.inner, 'lookupUser')[0]?.account, {
    uid: 60515,
    gid: 60515,
    home: '/run/host/home/zoe',
    shell: '',
    groups: [],
  });
  const maps = stepsOf(plan.outer, 'userNamespace').map(({ uids, gids }) => [uids, gids]);
  assert.equal(maps.at(-1), [
    [{ inside: 1000, outside: 524288 + 60515, size: 1 }],
    [{ inside: 100, outside: 524288 + 60515, size: 1 }],
  ]);
  const ids = Array.from({ length: 64 }, (_, index) => 60514 + index);
  assert.throws(
    () => planOf(argv, host({ users }), tree({ accounts: { names: [], groups: [], ids } })),
    /--bind-user=zoe: no id from 60514 to 60577 is free/,
  );
  assert.throws(
    () => planOf(['--private-users=0:65536', '--bind-user=zoe'], host({ users })),
    /lie in the range of the container/,
  );
});

test.run();
