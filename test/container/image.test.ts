// Guests from disk images: what becomes of each partition, who may write, and that no loop device is left, whoever dies.

import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { TYPES } from '../support/disks';
import { type Footprint, footprintOf, hostMounts, newMounts, noProcessLeft, nothingLeft } from '../support/footprint';
import { disk, ext4, imageDirectory, kernelHas, loopsOf, noLoopsLeft, run, squashfs } from '../support/images';
import { type Outcome, quoted, tsnspawn } from '../support/launcher';
import { withMachine, withScript } from '../support/machines';
import { needs, only } from '../support/needs';
import { ownTree, sharedTree } from '../support/trees';

const missing = needs(
  'root',
  'namespaces',
  ...(['sfdisk', 'mkfs.ext4', 'mkfs.vfat', 'mksquashfs', 'losetup'] as const).map((name) => `command:${name}` as const),
);
const it = only(test, missing);
const itOnTerminal = only(test, missing ?? needs('command:script'));

const home = missing === undefined ? imageDirectory() : '';
const tree = missing === undefined ? sharedTree('busybox') : '';
let made = 0;

/** A path for one more image. */
const fresh = (name = 'disk.raw'): string => {
  made += 1;
  mkdirSync(join(home, String(made)));
  return join(home, String(made), name);
};

/** A file system with one file that names it. */
function small(name: string, mebibytes = 4): string {
  const directory = mkdtempSync(join(home, 'content-'));
  writeFileSync(join(directory, 'what'), `${name}\n`);
  return ext4(fresh(`${name}.ext4`), directory, mebibytes);
}

const rootFs = missing === undefined ? ext4(fresh('root.ext4'), tree, 24) : '';
const copy = (path: string, name?: string): string => {
  const to = fresh(name);
  cpSync(path, to);
  return to;
};
const rootPart = { type: TYPES.root, mebibytes: 24, content: rootFs };

const sh = (image: string, script: string, ...options: string[]): Outcome =>
  tsnspawn(['-q', '-i', image, '--pipe', ...options, '/bin/sh', '-c', script]);

/** Where a path of the guest is mounted from: type and flags. */
function mountOf(mountinfo: string, path: string): string | undefined {
  const line = mountinfo.split('\n').find((candidate) => candidate.split(' ')[4] === path);
  const fields = line?.split(' ');
  return fields && `${fields[fields.indexOf('-') + 1]} ${fields[5]}`;
}

const MOUNTS = 'cat /proc/self/mountinfo';

it('a bare ext4 image runs a command, gives its status, and keeps what was written', async () => {
  const image = copy(rootFs);
  assert.is(sh(image, 'echo kept >/root/note; exit 7').status, 7);
  const { stdout, status } = sh(image, 'cat /root/note; hostname');
  assert.equal([stdout, status], ['kept\ndisk\n', 0]);
  await noLoopsLeft(home);
});

it('a squashfs image has a read-only root', () => {
  const { stdout, stderr } = sh(squashfs(fresh('tiny.squashfs'), tree), `${MOUNTS}; touch /x`);
  assert.is(mountOf(stdout, '/'), 'squashfs ro,nodev,relatime');
  assert.match(stderr, /Read-only file system/);
});

it('an MBR with one bootable Linux partition has its root there, and the extended boot partition on /boot', () => {
  const image = disk(fresh(), 'dos', [
    { type: 'ea', mebibytes: 4, content: small('boot') },
    { type: '83', mebibytes: 4, content: small('other') },
    { type: '83', mebibytes: 24, content: rootFs, more: 'bootable' },
  ]);
  const { stdout, status } = sh(image, `cat /boot/what; ${MOUNTS}`);
  assert.is(status, 0);
  assert.match(stdout, /^boot\n/);
  assert.is(mountOf(stdout, '/'), 'ext4 rw,nodev,relatime');
});

it('each partition of a GPT is where its type says, without device nodes', () => {
  const image = disk(fresh(), 'gpt', [
    { type: TYPES.home, mebibytes: 4, content: small('home') },
    { type: TYPES.srv, mebibytes: 4, content: small('srv') },
    { type: TYPES.var, mebibytes: 4, content: small('var') },
    { type: TYPES.tmp, mebibytes: 4, content: small('tmp') },
    { type: TYPES.xbootldr, mebibytes: 4, content: small('xbootldr') },
    { type: TYPES.esp, mebibytes: 4, content: small('esp') },
    { type: TYPES.swap, mebibytes: 4 },
    rootPart,
  ]);
  const places = ['/home', '/srv', '/var', '/var/tmp', '/boot', '/efi'];
  const { stdout, stderr, status } = sh(image, `cat ${places.map((place) => `${place}/what`).join(' ')}; ${MOUNTS}`);
  assert.equal([status, stderr], [0, '']);
  assert.match(stdout, /^home\nsrv\nvar\ntmp\nxbootldr\nesp\n/);
  for (const place of ['/', '/home', '/srv', '/var'])
    assert.is(mountOf(stdout, place), 'ext4 rw,nodev,relatime', place);
  assert.is(mountOf(stdout, '/var/tmp'), 'ext4 rw,nosuid,nodev,relatime');
  for (const place of ['/boot', '/efi'])
    assert.is(mountOf(stdout, place), 'ext4 rw,nosuid,nodev,noexec,relatime,nosymfollow', place);
});

it('/usr may be a partition of its own, also when the system in it is to boot', async () => {
  const split = ownTree('busybox', 'split');
  const usr = ext4(fresh('usr.ext4'), join(split, 'usr'), 16);
  rmSync(join(split, 'usr'), { recursive: true });
  mkdirSync(join(split, 'usr'));
  const image = disk(fresh(), 'gpt', [
    { type: TYPES.root, mebibytes: 16, content: ext4(fresh('rest.ext4'), split, 16) },
    { type: TYPES.usr, mebibytes: 16, content: usr, more: 'attrs="GUID:60"' },
  ]);
  const { stdout, status } = sh(image, MOUNTS);
  assert.equal([status, mountOf(stdout, '/usr')], [0, 'ext4 ro,nodev,relatime']);
});

it('an ESP goes to /efi where the root has that, else to an empty /boot, and else to /efi all the same', () => {
  const esp = { type: TYPES.esp, mebibytes: 4, content: small('esp') };
  const place = (prepare: (root: string) => void): string => {
    const root = ownTree('busybox', 'esp');
    rmSync(join(root, 'boot'), { recursive: true, force: true });
    rmSync(join(root, 'efi'), { recursive: true, force: true });
    prepare(root);
    const image = disk(fresh(), 'gpt', [
      esp,
      { type: TYPES.root, mebibytes: 24, content: ext4(fresh('r.ext4'), root, 24) },
    ]);
    const { stdout } = sh(image, 'ls -d /boot/what /efi/what 2>/dev/null');
    return stdout.trim();
  };
  const dirs =
    (...names: string[]) =>
    (root: string) =>
      names.forEach((name) => void mkdirSync(join(root, name), { recursive: true }));
  assert.is(place(dirs('efi', 'boot')), '/efi/what');
  assert.is(place(dirs('boot')), '/boot/what');
  assert.is(place(dirs('boot/grub')), '/efi/what');
  assert.is(place(dirs()), '/efi/what');
});

it('a FAT ESP is mounted for root alone, or left out with a warning by a kernel without FAT', () => {
  const esp = fresh('esp.fat');
  run('mkfs.vfat', ['-C', esp, String(4 * 1024)]);
  const image = disk(fresh(), 'gpt', [{ type: TYPES.esp, mebibytes: 4, content: esp }, rootPart]);
  const { stdout, stderr, status } = tsnspawn([
    '-i',
    image,
    '--pipe',
    '/bin/sh',
    '-c',
    `${MOUNTS}; stat -c %a /efi || true`,
  ]);
  assert.is(status, 0);
  if (kernelHas('vfat')) {
    assert.match(mountOf(stdout, '/efi') ?? '', /^vfat rw,nosuid,nodev,noexec/);
    assert.match(stdout, /700\n$/);
  } else {
    assert.is(mountOf(stdout, '/efi'), undefined);
    assert.match(stderr, /^tsnspawn: warning: .*disk\.raw.* esp .*vfat, which this kernel does not have$/m);
  }
});

it('the flags of a partition count: read-only, and not to be used without being asked', () => {
  const image = disk(fresh(), 'gpt', [
    { ...rootPart, more: 'attrs="GUID:60"' },
    { type: TYPES.home, mebibytes: 4, content: small('home'), more: 'attrs="GUID:63"' },
  ]);
  const { stdout } = sh(image, MOUNTS);
  assert.is(mountOf(stdout, '/'), 'ext4 ro,nodev,relatime');
  assert.is(mountOf(stdout, '/home'), undefined);
});

/** ext4 takes CAP_SYS_RESOURCE to grow; a caller who lacks it has the guest start with what there is. */
const effective = /^CapEff:\s+(\w+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0';
const mayGrow = (BigInt(`0x${effective}`) >> 24n) % 2n === 1n;

it('a file system whose partition has the grow flag fills it', () => {
  const size = (more?: string): number => {
    const part = { ...rootPart, mebibytes: 48, ...(more === undefined ? {} : { more }) };
    return Number(sh(disk(fresh(), 'gpt', [part]), "df -k / | awk 'NR == 2 { print $2 }'").stdout);
  };
  const [plain, grown] = [size(), size('attrs="GUID:59"')];
  if (mayGrow) assert.ok(grown > plain * 1.5, `${plain} KiB before, ${grown} KiB after`);
  else assert.is(grown, plain);
});

for (const [what, option] of [
  ['--read-only', '--read-only'],
  ['--ephemeral', '-x'],
  ['--volatile=overlay', '--volatile=overlay'],
] as const) {
  it(`${what} leaves every byte of an image as it is, and lets others have it`, () => {
    const image = disk(fresh(), 'gpt', [rootPart, { type: TYPES.home, mebibytes: 4, content: small('home') }]);
    const digest = (): string => createHash('sha256').update(readFileSync(image)).digest('hex');
    const before = digest();
    return withMachine(
      [
        '-q',
        '-i',
        image,
        option,
        '--pipe',
        '/bin/sh',
        '-c',
        'touch /x /home/x; ls /x /home/x; echo ready; exec sleep 60',
      ],
      async (running) => {
        await running.until(/^ready$/m);
        if (what === '--read-only') assert.match(running.output, /\/home\/x: Read-only file system/);
        else assert.match(running.output, /^\/home\/x$/m);
        assert.is(sh(image, 'ls /x', '--read-only').status, 1);
        assert.match(sh(image, 'true').stderr, /disk\.raw: it is busy\nhint: .*--read-only/);
        assert.is(digest(), before);
      },
    ).then(async () => {
      await noLoopsLeft(home);
      assert.is(digest(), before);
    });
  });
}

it('an image has one machine that writes to it', () =>
  withMachine(['-q', '-i', copy(rootFs), '--pipe', '/bin/sh', '-c', 'echo ready; exec sleep 60'], async (running) => {
    await running.until(/ready/);
    const image = join(home, String(made), 'disk.raw');
    for (const options of [[], ['--read-only'], ['-x']]) {
      const { status, stderr } = sh(image, 'true', ...options);
      assert.is(status, 1);
      assert.match(stderr, /cannot use the image .*disk\.raw: it is busy/);
    }
  }));

it('SYSTEMD_NSPAWN_LOCK=0 does without the lock', () =>
  withMachine(
    ['-q', '-x', '-i', copy(rootFs), '--pipe', '/bin/sh', '-c', 'echo ready; exec sleep 60'],
    async (running) => {
      await running.until(/ready/);
      const image = join(home, String(made), 'disk.raw');
      assert.is(tsnspawn(['-q', '-i', image, '/bin/true'], { env: { SYSTEMD_NSPAWN_LOCK: '0' } }).status, 0);
    },
  ));

itOnTerminal('an image boots, boots again when its guest reboots, and shuts down', async () => {
  const image = disk(fresh(), 'gpt', [rootPart, { type: TYPES.home, mebibytes: 4, content: small('home') }]);
  const before = hostMounts();
  await withScript(
    `exec ${quoted(join(process.cwd(), 'node_modules/.bin/tsnspawn'))} -i ${quoted(image)} -b`,
    async (running) => {
      await running.until(/:\/# /);
      assert.is(loopsOf(home).length, 2);
      running.write('echo $(cat /home/what) first >/root/boots; reboot\n');
      await running.until(/is being rebooted[\s\S]*:\/# /);
      running.write('cat /root/boots /home/what | tr "\\n" " "; echo again; poweroff\n');
      assert.equal(await running.exited, { status: 0, signal: null });
      assert.match(running.output, /home first home again/);
      assert.equal(newMounts(before), [], 'no mount of the image shows on the host');
    },
  );
  await noLoopsLeft(home);
});

for (const [victims, kill] of [
  ['the launcher', ({ launcher }: Footprint) => process.kill(launcher, 'SIGKILL')],
  ['the monitor', ({ monitor }: Footprint) => process.kill(monitor, 'SIGKILL')],
  [
    'both at once',
    ({ launcher, monitor }: Footprint) => {
      process.kill(launcher, 'SIGSTOP'); // so that it cannot see the monitor die
      process.kill(monitor, 'SIGKILL');
      process.kill(launcher, 'SIGKILL');
    },
  ],
] as const) {
  it(`no loop device is left when ${victims} is killed`, () =>
    withMachine(['-i', copy(rootFs), '--pipe', '/bin/sh', '-c', 'echo ready; exec sleep 1000'], async (running) => {
      await running.until(/ready/);
      const footprint = footprintOf(running);
      assert.is(loopsOf(home).length, 1);
      kill(footprint);
      await running.exited;
      await (victims === 'both at once' ? noProcessLeft : nothingLeft)(footprint);
      await noLoopsLeft(home);
    }));
}

it('machines that start at the same moment each get loop devices of their own', async () => {
  const images = [1, 2, 3, 4].map((index) => copy(rootFs, `at-once-${index}.raw`));
  const answers = await Promise.all(
    images.map((image) =>
      withMachine(['-q', '-i', image, '--pipe', '/bin/hostname'], async (running) => {
        const { status } = await running.exited;
        return `${status} ${running.output}`;
      }),
    ),
  );
  assert.equal(
    answers,
    [1, 2, 3, 4].map((index) => `0 at-once-${index}\n`),
  );
  await noLoopsLeft(home);
});

it('--dry-run shows from which partition each mount comes, and leaves no loop device', async () => {
  const image = disk(fresh(), 'gpt', [rootPart, { type: TYPES.home, mebibytes: 4, content: small('home') }]);
  const { stdout, status } = tsnspawn(['-i', image, '--dry-run', '/bin/true']);
  assert.is(status, 0);
  assert.match(stdout, /mount ext4 of .*disk\.raw, partition 1 \(root\) \(nodev,discard\)/);
  assert.match(stdout, /bind content of .*disk\.raw, partition 2 \(home\).* to \/home/);
  await noLoopsLeft(home);
});

it('a mount point that a read-only image lacks is an error that names partition and place', () => {
  const root = ownTree('busybox', 'lacking');
  rmSync(join(root, 'srv'), { recursive: true, force: true });
  const image = disk(fresh(), 'gpt', [
    { type: TYPES.root, mebibytes: 24, content: ext4(fresh('lacking.ext4'), root, 24) },
    { type: TYPES.srv, mebibytes: 4, content: small('srv') },
  ]);
  const { status, stderr } = sh(image, 'true', '--read-only');
  assert.is(status, 1);
  assert.match(
    stderr,
    /disk\.raw, partition 2 \(srv\).* to \/srv: Read-only file system\nhint: .*make the mount point first/,
  );
  assert.is(sh(image, 'cat /srv/what').stdout, 'srv\n');
});

it('a step that fails leaves no loop device and no lock', async () => {
  const image = copy(rootFs);
  assert.is(tsnspawn(['-q', '-i', image, '/no/such/program']).status, 1);
  await noLoopsLeft(home);
  assert.is(sh(image, 'true').status, 0);
});

it('-M NAME finds NAME.raw where machines are kept, and the machine is not called raw', () => {
  const [directory, name] = ['/run/machines', `tsnspawn-test-${process.pid}`];
  mkdirSync(directory, { recursive: true });
  const image = join(directory, `${name}.raw`);
  try {
    cpSync(rootFs, image);
    assert.is(tsnspawn(['-q', '-M', name, '--pipe', '/bin/hostname']).stdout, `${name}\n`);
  } finally {
    rmSync(image, { force: true });
  }
});

it('a block device is started as it is, or partition by partition; one that is mounted is refused', () => {
  const [bare, parts] = [copy(rootFs), disk(fresh(), 'gpt', [rootPart])];
  const loops = [bare, parts].map((file) => run('losetup', ['--find', '--show', file]).trim());
  const [device = '', whole = ''] = loops;
  const mountPoint = mkdtempSync(join(tmpdir(), 'tsnspawn-mounted-'));
  try {
    assert.is(sh(device, 'true').status, 0);
    assert.is(mountOf(sh(whole, MOUNTS).stdout, '/'), 'ext4 rw,nodev,relatime');
    run('mount', [device, mountPoint]);
    const { status, stderr } = sh(device, 'true');
    assert.is(status, 1);
    assert.match(stderr, new RegExp(`cannot use the image ${device}: it.* is mounted or in use by the host`));
  } finally {
    run('sh', ['-c', `umount ${mountPoint} 2>/dev/null; rmdir ${mountPoint}; losetup -d ${loops.join(' ')}`]);
  }
});

it('links in an image lead nowhere outside of it while the launcher looks at it', () => {
  const hostile = ownTree('busybox', 'hostile');
  const outside = join(home, 'machine-id-of-the-host');
  writeFileSync(outside, `${'ab'.repeat(16)}\n`);
  rmSync(join(hostile, 'etc/machine-id'), { force: true });
  symlinkSync(outside, join(hostile, 'etc/machine-id'));
  const image = ext4(fresh(), hostile, 24);
  assert.not.match(sh(image, 'echo $container_uuid').stdout, /^abababab/);
});

it('a user namespace shows the owners of an image shifted, in every partition', () => {
  const image = disk(fresh(), 'gpt', [rootPart, { type: TYPES.home, mebibytes: 4, content: small('home') }]);
  const { stdout, status } = sh(image, 'stat -c %u /etc /home/what; touch /home/new', '--private-users=pick');
  assert.equal([stdout, status], ['0\n0\n', 0]);
  assert.is(sh(image, 'stat -c %u /home/new').stdout, '0\n');
  const owned = ['--private-users=1048576', '--private-users-ownership=chown'];
  assert.equal(sh(image, 'stat -c %u /etc /home/what', ...owned), { status: 0, stdout: '0\n0\n', stderr: '' });
  assert.is(sh(image, 'stat -c %u /etc /home/what').stdout, '1048576\n1048576\n');
});

test.run();
