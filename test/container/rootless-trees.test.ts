// Trees that an ordinary user makes, takes along and removes, held against those of root. The tests are root, to make such users and to look at what they did.

import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { deb } from '../rootfs/support/archives';
import { tsnspawn } from '../support/launcher';
import { mapped, place, REASON, SECONDS, single } from '../support/makers';
import { needs, only } from '../support/needs';
import { ownTree, sharedTree } from '../support/trees';
import type { OrdinaryUser } from '../support/users';

const it = only(test, REASON);

/** Modes, owners, numbers of devices, names and targets of links in an archive. Sizes and times differ between any two trees. */
function listing(archive: string): string[] {
  const text = execFileSync('tar', ['-tvf', archive, '--numeric-owner'], { encoding: 'utf8', maxBuffer: 1 << 28 });
  return text.split('\n').map((line) => {
    const [, mode = '', owner, size, name] = /^(\S+) (\S+) +(\S+) \S+ \S+ (.*)$/.exec(line) ?? [];
    return `${mode} ${owner} ${/^[bc]/.test(mode) ? size : ''} ${name}`;
  });
}

/** A package whose scripts make a user, and give away files of every kind. */
const PACKAGE = deb({
  name: 'thing',
  fields: { Architecture: 'all' },
  files: [
    { name: './srv/', type: '5' },
    { name: './srv/games', content: 'g', uid: 5, gid: 60, mode: 0o2755 },
  ],
  control: {
    postinst: `#!/bin/sh
set -e
useradd -r -d /srv/thing thing
install -d -o thing -g mail -m 3770 /srv/thing
cd /srv/thing
touch file own && chown thing:thing file && chmod 4711 file && ln file hard
ln -s file link && chown -h thing:games link
mkfifo fifo && chown daemon:thing fifo
chown thing own && runuser -u thing -- ln -s own made && su thing -s /bin/sh -c "touch also"
cp -a /srv/thing /srv/copy
`,
  },
});

const home = mkdtempSync(join(tmpdir(), 'tsnspawn-export-'));
process.on('exit', () => rmSync(home, { recursive: true, force: true }));
execFileSync('chmod', ['755', home]);
writeFileSync(join(home, 'thing.deb'), PACKAGE);

const INSTALL = [
  `--bind-ro=${join(home, 'thing.deb')}:/thing.deb`,
  ...['sh', '-ec', 'DEBIAN_FRONTEND=noninteractive apt-get install -qy /thing.deb >/dev/null; dpkg --audit; dpkg -V'],
];

/** What root exports of a tree. */
function rootsListing(tree: string): string[] {
  const archive = join(home, 'root.tar');
  const { status, stderr } = tsnspawn(['export', tree, archive], SECONDS);
  assert.equal([status, stderr], [0, '']);
  return listing(archive);
}

/** The same with the package, for the tests of both users. */
function rootsInstalled(): readonly string[] {
  if (installed === undefined) {
    const tree = ownTree('bookworm');
    const { status, stdout, stderr } = tsnspawn(['-qPD', tree, ...INSTALL], SECONDS);
    assert.equal([status, stdout], [0, ''], stderr);
    installed = rootsListing(tree);
  }
  return installed;
}
let installed: readonly string[] | undefined;

/** A user with a directory for one test. */
class Maker {
  readonly user: OrdinaryUser;
  readonly cwd: string;

  constructor(owner: OrdinaryUser) {
    this.user = owner;
    this.cwd = place(owner);
  }

  run(...args: string[]) {
    return this.user.tsnspawn(args, { cwd: this.cwd, ...SECONDS });
  }

  /** Exactly as root's: lines that are one's own, and lines that are root's alone. */
  exportsAs(expected: readonly string[]): void {
    const { status, stderr } = this.run('export', 'tree', 'tree.tar');
    assert.equal([status, stderr], [0, '']);
    const lines = listing(join(this.cwd, 'tree.tar'));
    const [own, roots] = [new Set(lines), new Set(expected)];
    assert.equal([lines.filter((line) => !roots.has(line)), expected.filter((line) => !own.has(line))], [[], []]);
    assert.is(lines.length, expected.length);
  }

  removes(): void {
    assert.equal(this.run('remove', 'tree'), { status: 0, stdout: '', stderr: '' });
    assert.equal(readdirSync(this.cwd), ['tree.tar']);
  }
}

for (const [who, owner, complaint] of [
  ['with subordinate ids', mapped, /^$/],
  ['with one id', single, /^tsnspawn: owners of files will be remembered only: no subordinate ids in .*\n$/],
] as const) {
  for (const suite of ['bookworm', 'trixie'] as const) {
    it(`${suite} of a user ${who} is that of root, and goes without a trace`, () => {
      const maker = new Maker(owner());
      const { status, stdout, stderr } = maker.run('bootstrap', suite, 'tree', '--autologin');
      assert.equal([status, stdout], [0, '']);
      assert.match(stderr, complaint);
      maker.exportsAs(rootsListing(sharedTree(suite)));
      const clean = maker.run('-qPD', 'tree', 'sh', '-c', 'dpkg --audit; dpkg -V');
      assert.equal(clean, { status: 0, stdout: '', stderr: '' });
      if (suite === 'bookworm') {
        const given = maker.run('-qPD', 'tree', ...INSTALL);
        assert.equal([given.status, given.stdout], [0, ''], given.stderr);
        maker.exportsAs(rootsInstalled());
      }
      maker.removes();
    });
  }
}

only(test, REASON ?? needs('cgroup2'))('what bootstrap has made boots, with nothing said but the suite', () => {
  const maker = new Maker(mapped());
  assert.is(maker.run('bootstrap', '-q', 'bookworm', 'tree').status, 0);
  const options = { cwd: maker.cwd, cgroup: maker.user.cgroup(), ...SECONDS };
  const { status, stdout, stderr } = maker.user.tsnspawn(['boot-check', '-bD', 'tree'], options);
  assert.is(status, 0, stdout + stderr);
  assert.match(stdout, /booted with systemd as PID 1/);
});

it('what root has exported and unpacked is exported again byte by byte', () => {
  const [first, second, copy] = [join(home, 'first.tar'), join(home, 'second.tar'), join(home, 'copy')];
  assert.is(tsnspawn(['export', sharedTree('bookworm'), first], SECONDS).status, 0);
  mkdirSync(copy);
  execFileSync('tar', ['-xpf', first, '--numeric-owner', '--xattrs', '--xattrs-include=*', '--acls', '-C', copy]);
  assert.is(tsnspawn(['export', copy, second], SECONDS).status, 0);
  execFileSync('cmp', [first, second]);
});

only(test, REASON ?? needs('command:setcap', 'command:setfacl'))(
  'capabilities of files and access lists are those of the tree, whoever of both exports it',
  () => {
    const maker = mapped();
    const tree = maker.tree('busybox', 'listed');
    const first = maker.first?.uid ?? 0;
    // as root of a user namespace of this user would leave it
    execFileSync('setcap', ['-n', String(maker.uid), 'cap_net_raw+ep', join(tree, 'usr/bin/busybox')]);
    execFileSync('setfacl', ['-m', `u:${first + 41}:r`, join(tree, 'etc/passwd')]);
    const archive = (exporter: (args: string[]) => { status: number | null }): string => {
      assert.is(exporter(['export', tree, `${tree}.tar`]).status, 0);
      return readFileSync(`${tree}.tar`, 'latin1');
    };
    const own = archive((args) => maker.tsnspawn(args));
    assert.match(own, 'SCHILY.acl.access=user::rw-,user:42:r--');
    assert.ok(own.includes('SCHILY.xattr.security.capability=\x01\0\0\x02'));
    assert.ok(archive((args) => tsnspawn(args)).includes('SCHILY.xattr.security.capability=\x01\0\0\x02'));
  },
);

test.run();
