// Images that cannot be started: what is wrong, in words that name the file, and nothing left. And what an image policy, a password
// and a root hash have to say about it.

import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { TYPES } from '../support/disks';
import { disk, ext4, imageDirectory, noLoopsLeft, run } from '../support/images';
import { quoted, TSNSPAWN, tsnspawn } from '../support/launcher';
import { withScript } from '../support/machines';
import { needs, only } from '../support/needs';
import { sharedTree } from '../support/trees';

const missing = needs(
  'root',
  'namespaces',
  'command:sfdisk',
  'command:mkfs.ext4',
  'command:losetup',
  'command:unshare',
);
const it = only(test, missing);
const itOnTerminal = only(test, missing ?? needs('command:script'));

const home = missing === undefined ? imageDirectory() : '';
const rootFs = missing === undefined ? ext4(join(home, 'root.ext4'), sharedTree('busybox'), 24) : '';
const rootPart = { type: TYPES.root, mebibytes: 24, content: rootFs };
const path = (name: string): string => join(home, name);

function refused(image: string, words: RegExp, ...options: string[]): void {
  const { status, stdout, stderr } = tsnspawn(['-i', image, ...options, '/bin/true']);
  assert.equal([status, stdout], [1, ''], stderr);
  assert.ok(stderr.startsWith(`tsnspawn: cannot use the image ${image}: `), stderr);
  assert.match(stderr, words);
}

const gpt = missing === undefined ? disk(path('gpt.raw'), 'gpt', [rootPart]) : '';

it('what is no image is named, and why it is none', () => {
  writeFileSync(path('text.raw'), 'no image\n');
  writeFileSync(path('empty.raw'), '');
  refused(path('text.raw'), /neither a partition table nor a file system that is known\nhint: .*raw/);
  refused(path('empty.raw'), /it is empty/);
  refused(path('missing.raw'), /no such file/);
  refused(home, /is a directory\nhint: a directory is started with -D/);
  refused('/dev/null', /neither a file nor a block device/);
});

it('a disk without a root, with several, or with one for another machine is told apart', () => {
  const small = { mebibytes: 4 };
  refused(disk(path('a.raw'), 'gpt', [{ type: TYPES.home, ...small }]), /it has no root partition\nhint: /);
  const two = [1, 2].map(() => ({ type: TYPES.generic, ...small }));
  refused(disk(path('b.raw'), 'gpt', two), /several Linux partitions.*: 1, 2\nhint: /);
  refused(disk(path('c.raw'), 'gpt', [{ type: TYPES.rootArm64, ...small }]), /another architecture: aarch64/);
  refused(disk(path('d.raw'), 'dos', [{ type: '7', ...small }]), /no Linux partition/);
});

it('an image that was cut off is recognized', () => {
  const image = path('cut.raw');
  cpSync(gpt, image);
  truncateSync(image, 20 << 20);
  refused(image, /partition 1 ends beyond its end\nhint: is the image truncated\?/);
  truncateSync(image, 512);
  refused(image, /its GPT is missing/);
});

it('a damaged partition table gives way to its backup', () => {
  const image = path('damaged.raw');
  cpSync(gpt, image);
  run('dd', ['if=/dev/urandom', `of=${image}`, 'bs=512', 'seek=1', 'count=8', 'conv=notrunc', 'status=none']);
  assert.is(tsnspawn(['-q', '-i', image, '/bin/true']).status, 0);
});

it('a damaged file system is an error that says what to do', async () => {
  const image = path('broken.raw');
  cpSync(rootFs, image);
  // the descriptors of its groups
  run('dd', ['if=/dev/zero', `of=${image}`, 'bs=1024', 'seek=2', 'count=1', 'conv=notrunc', 'status=none']);
  refused(image, /ext4 cannot be mounted: .*\nhint: .*fsck\.ext4/);
  await noLoopsLeft(home);
});

it('a root partition that holds no file system is named with what it holds', () => {
  const swap = path('swap');
  writeFileSync(swap, Buffer.concat([Buffer.alloc(4086), Buffer.from('SWAPSPACE2')]));
  refused(
    disk(path('e.raw'), 'gpt', [{ type: TYPES.root, mebibytes: 4, content: swap }]),
    /its root partition holds swap space/,
  );
  refused(disk(path('f.raw'), 'gpt', [{ type: TYPES.root, mebibytes: 4 }]), /root partition holds no file system/);
});

it('an image policy decides what is used, and an image that does not meet it is refused', () => {
  const image = disk(path('policy.raw'), 'gpt', [rootPart, { type: TYPES.home, mebibytes: 4, content: small('home') }]);
  const ls = (policy: string): string =>
    tsnspawn(['-q', '-i', image, `--image-policy=${policy}`, '--pipe', '/bin/ls', '/home']).stdout;
  assert.match(ls('*'), /what/);
  assert.not.match(ls('root=unprotected'), /what/);
  assert.not.match(ls('root=unprotected:home=unused'), /what/);
  refused(
    image,
    /home partition is there, which the image policy does not allow\nhint: .*home=absent/,
    '--image-policy=root=open:home=absent',
  );
  refused(image, /root partition is unprotected/, '--image-policy=root=verity+signed:=open');
  refused(image, /leaves no root partition/, '--image-policy=-');
});

function small(name: string): string {
  const directory = mkdtempSync(join(home, 'content-'));
  writeFileSync(join(directory, 'what'), `${name}\n`);
  return ext4(path(`${name}.ext4`), directory, 4);
}

it('a system without usr is refused as it is in a directory', () => {
  const { status, stderr } = tsnspawn(['-i', small('nothing'), '/bin/true']);
  assert.is(status, 1);
  assert.match(stderr, /nothing\.ext4 has no usr: it is not a system/);
});

/** Runs a script in a mount namespace of its own, with a /dev of its own that has no loop devices and no device mapper. */
function elsewhere(script: string) {
  const dev = 'mount -t tmpfs none /dev; mknod /dev/null c 1 3; mknod /dev/tty c 5 0; mkdir /dev/pts';
  return run('unshare', ['-m', 'sh', '-c', `${dev}; exec 2>&1; ${script}; echo status $?`]);
}

it('without loop devices the hint says where to get them', () => {
  const output = elsewhere(`${quoted(TSNSPAWN)} -i ${quoted(rootFs)} /bin/true`);
  assert.match(
    output,
    /cannot use the image .*root\.ext4: no loop device can be had for it: No such file.*\nhint: .*modprobe loop/,
  );
  assert.match(output, /status 1\n$/);
});

it('a root hash that belongs to no partition, or that nothing can be checked with, is refused', () => {
  const hash = `--root-hash=${'ab'.repeat(32)}`;
  refused(gpt, /no root partition in it belongs to the root hash/, hash);
  refused(rootFs, /there is no hash tree to check it with\nhint: --verity-data/, hash);
  refused(rootFs, /a root hash is needed/, `--verity-data=${gpt}`);
});

it('a root hash beside the image is found, and one that is none is refused', () => {
  const image = path('hashed.raw');
  cpSync(rootFs, image);
  writeFileSync(path('hashed.verity'), 'tree');
  writeFileSync(path('hashed.roothash'), 'no hash\n');
  refused(image, /rootheash|roothash is no hash/);
});

/** An image that only looks encrypted: the tools that are called for it here are no real ones. */
function luks(): string {
  const image = path('luks.raw');
  writeFileSync(image, Buffer.concat([Buffer.from('LUKS\xba\xbe\0\x02', 'latin1'), Buffer.alloc(1 << 20)]));
  return image;
}

it('an encrypted image is refused where the kernel has no device mapper, before a password is asked for', () => {
  const command = `${quoted(process.execPath)} ${quoted(TSNSPAWN)} -i ${quoted(luks())} /bin/true`;
  const loops = 'mknod /dev/loop-control c 10 237; for i in 0 1 2 3 4 5 6 7 8 9; do mknod /dev/loop$i b 7 $i; done';
  // a kernel that has one shows it in /proc/misc, and its node can be opened
  const hidden = 'mount --bind /dev/null /proc/misc; PATH=/nowhere';
  assert.match(
    elsewhere(`${loops}; ${hidden} ${command}`),
    /it is encrypted, and this kernel has no device mapper to open it with\nhint: modprobe dm_mod/,
  );
  const { stderr } = tsnspawn(['-i', luks(), '--no-ask-password', '/bin/true']);
  assert.match(stderr, /it is encrypted, and --no-ask-password forbids/);
});

/** Directory with stand-ins for cryptsetup and veritysetup: they write down how they are called, and give the device of `plain`. */
function standIns(plain: string, log: string): string {
  const bin = mkdtempSync(join(home, 'bin-'));
  const script = `#!/bin/sh
echo "$(basename "$0") $*" >>${quoted(log)}
for name; do case $name in tsnspawn-*) break;; esac; done
case $1 in
open)
  if [ "$(basename "$0")" = cryptsetup ]; then echo Password? >&2; read -r word </dev/tty; [ "$word" = sesame ] || exit 2; fi
  for option; do case $option in --root-hash-signature=*) cat "\${option#*=}" >>${quoted(log)};; esac; done
  loop=$(losetup --find --show --read-only ${quoted(plain)}) || exit 1
  echo "$loop" >/dev/mapper/.$name
  mknod "/dev/mapper/$name" b 7 "\${loop#/dev/loop}";;
close)
  losetup --detach "$(cat "/dev/mapper/.$name")"
  rm "/dev/mapper/$name" "/dev/mapper/.$name";;
esac`;
  for (const name of ['cryptsetup', 'veritysetup']) {
    writeFileSync(join(bin, name), script);
    chmodSync(join(bin, name), 0o755);
  }
  return bin;
}

/** The same /dev, with a /dev/mapper that such stand-ins can fill. */
function withMapper(bin: string, command: string): string {
  const inside = `d=$(mktemp -d -p ${bin}); mkdir $d/mapper; touch $d/mapper/control; for n in /dev/*; do [ -d $n ] || [ -h $n ] || { touch $d/\${n#/dev/}; mount --bind $n $d/\${n#/dev/}; }; done
for n in pts shm; do mkdir $d/$n; mount --rbind /dev/$n $d/$n; done; mount --rbind $d /dev; rmdir $d 2>/dev/null; PATH=${bin}:$PATH; ${command}`;
  return `exec unshare -m sh -c ${quoted(inside)}`;
}

itOnTerminal(
  'the password of an encrypted image is asked for on the terminal, and its device is closed again',
  async () => {
    const log = path('luks.log');
    const bin = standIns(rootFs, log);
    const command = `${quoted(TSNSPAWN)} -q -i ${quoted(luks())} --read-only --pipe /bin/sh -c 'echo opened; exit 7'`;
    await withScript(withMapper(bin, command), async (running) => {
      await running.until(/Password\?/);
      running.write('sesame\n');
      assert.equal(await running.exited, { status: 7, signal: null });
      assert.match(running.output, /opened/);
    });
    const [open = '', close = ''] = readFileSync(log, 'utf8').split('\n');
    assert.match(open, /^cryptsetup open --type=luks --readonly \/dev\/loop\d+ (tsnspawn-\S+-root)$/);
    assert.match(close, /^cryptsetup close --deferred tsnspawn-\S+-root$/);
    assert.is(open.split(' ').at(-1), close.split(' ').at(-1));
    await noLoopsLeft(home);
  },
);

itOnTerminal('a wrong password ends the launch, and nothing is left', async () => {
  const bin = standIns(rootFs, path('wrong.log'));
  await withScript(withMapper(bin, `${quoted(TSNSPAWN)} -i ${quoted(luks())} /bin/true`), async (running) => {
    await running.until(/Password\?/);
    running.write('wrong\n');
    assert.equal(await running.exited, { status: 1, signal: null });
    assert.match(running.output, /it cannot be opened: cryptsetup ended with status 2/);
  });
  await noLoopsLeft(home);
});

itOnTerminal('a verified image is opened with its root hash, hash tree and signature', async () => {
  const log = path('verity.log');
  const bin = standIns(rootFs, log);
  const hash = `${'ab'.repeat(16)}${'cd'.repeat(16)}`;
  const uuid = (byte: string): string => 'xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx'.replace(/xx/g, byte);
  const image = disk(path('verity.raw'), 'gpt', [
    { ...rootPart, more: `uuid=${uuid('ab')}` },
    { type: TYPES.rootVerity, mebibytes: 4, more: `uuid=${uuid('cd')}` },
  ]);
  const options = [`--root-hash=${hash}`, `--root-hash-sig=base64:${Buffer.from('signed').toString('base64')}`];
  const command = `${quoted(TSNSPAWN)} -q -i ${quoted(image)} ${options.join(' ')} --pipe /bin/sh -c 'touch /x || echo sealed'`;
  await withScript(withMapper(bin, command), async (running) => {
    assert.equal(await running.exited, { status: 0, signal: null });
    assert.match(running.output, /sealed/);
  });
  const text = readFileSync(log, 'utf8');
  assert.match(
    text,
    new RegExp(
      `^veritysetup open --root-hash-signature=\\S+ /dev/loop\\d+ (tsnspawn-\\S+-root) /dev/loop\\d+ ${hash}\nsignedveritysetup close --deferred \\1\n$`,
    ),
  );
  await noLoopsLeft(home);
});

itOnTerminal('without its tool an encrypted image is refused with the package that has it', async () => {
  const bin = mkdtempSync(join(home, 'bin-'));
  mkdirSync(join(bin, 'none'));
  const command = `PATH=${join(bin, 'none')}:${join(process.execPath, '..')}; ${quoted(process.execPath)} ${quoted(TSNSPAWN)} -i ${quoted(luks())} /bin/true`;
  await withScript(withMapper(bin, command), async (running) => {
    assert.equal(await running.exited, { status: 1, signal: null });
    assert.match(running.output, /it needs cryptsetup, which is not installed\r?\nhint: .*apt-get install cryptsetup/);
  });
  rmSync(bin, { recursive: true });
});

test.run();
