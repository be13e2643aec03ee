// The user namespace: the guest's root is nobody on the host, and can undo nothing of what it was given read-only.

import { execFileSync } from 'node:child_process';
import {
  chownSync,
  cpSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { footprintOf, nothingLeft } from '../support/footprint';
import { TSNSPAWN, tsnspawn } from '../support/launcher';
import { withMachine } from '../support/machines';
import { needs, only } from '../support/needs';
import { ownTree } from '../support/trees';

const missing = needs('root', 'namespaces', 'command:unshare');
const it = only(test, missing);
const itWithLists = only(test, missing ?? needs('command:setfacl', 'command:setcap'));
const tree = missing === undefined ? ownTree('busybox') : '';
const scratch = mkdtempSync(join(tmpdir(), 'tsnspawn-users-'));
process.on('exit', () => rmSync(scratch, { recursive: true, force: true }));

const BASE = 1879048192; // above what is picked from

/** Output of a shell script in the guest. */
function sh(script: string, ...options: string[]): string {
  const { status, stdout, stderr } = tsnspawn(['-q', '-D', tree, '--pipe', ...options, 'sh', '-c', script]);
  assert.is(status, 0, `status ${status}: ${stdout}${stderr}`);
  return stdout;
}

const mapOf = (...options: string[]): number[] =>
  sh('cat /proc/self/uid_map /proc/self/gid_map', ...options)
    .trim()
    .split(/\s+/)
    .map(Number);

it('each form of --private-users gives the guest the ids that it says', () => {
  assert.equal(mapOf('--private-users=no'), [0, 0, 4294967295, 0, 0, 4294967295]);
  assert.equal(mapOf('--private-users=identity'), [0, 0, 65536, 0, 0, 65536]);
  assert.equal(mapOf(`--private-users=${BASE}`), [0, BASE, 65536, 0, BASE, 65536]);
  assert.equal(mapOf(`--private-users=${BASE}:1000`), [0, BASE, 1000, 0, BASE, 1000]);
  const [, picked = 0] = mapOf('--private-users=pick');
  assert.ok(picked >= 524288 && picked % 65536 === 0, String(picked));
});

it('the same machine gets the same range, two at once get two', () => {
  // of a name that no other test has, whose range it would be meanwhile
  const name = `same-${process.pid}`;
  const first = mapOf('-U', '-M', name);
  assert.equal(mapOf('-U', '-M', name), first);
  return withMachine(
    ['-q', '-U', '-x', '-M', 'one', '-D', tree, 'sh', '-c', 'cat /proc/self/uid_map; exec sleep 1000'],
    async (a) => {
      await a.until(/ 65536\r/);
      const other = tsnspawn(['-q', '-U', '-x', '-M', 'one', '-D', tree, '--pipe', 'cat', '/proc/self/uid_map']);
      assert.not.equal(other.stdout.trim().split(/\s+/)[1], a.output.trim().split(/\s+/)[1]);
    },
  );
});

it('a range that a user or a group of the host is in, or that a user may map in part, is not picked', () => {
  const name = `owned-${process.pid}`;
  const [, picked = 0] = mapOf('-U', '-M', name);
  for (const [file, line] of [
    ['passwd', `held:x:${picked}:${picked}::/:/bin/sh`],
    ['group', `held:x:${picked + 65535}:`],
    ['subuid', `held:${picked - 65535}:65536`],
    ['subgid', `held:${picked + 65535}:65536`],
  ] as const) {
    // in a mount namespace of its own, the host has one more
    const taken = join(scratch, file);
    const place = join('/etc', file);
    writeFileSync(taken, `${existsSync(place) ? readFileSync(place, 'utf8') : ''}${line}\n`);
    const command = [TSNSPAWN, '-q', '-D', tree, '-P', '-U', '-M', name, 'cat', '/proc/self/uid_map'];
    const script = `mount --bind ${taken} ${place} && exec "$@"`;
    const map = execFileSync('unshare', ['-m', 'sh', '-c', script, 'sh', ...command], { encoding: 'utf8' });
    const [inside, other, size] = map.trim().split(/\s+/).map(Number);
    assert.equal([inside, size], [0, 65536]);
    assert.is.not(other, picked, file);
  }
});

it('the lock of a picked range lasts as long as the machine, and leaves no file', async () => {
  const name = `locks-${process.pid}`;
  const args = ['-q', '-U', '-x', '-M', name, '-D', tree];
  let file = '';
  await withMachine([...args, 'sh', '-c', 'cat /proc/self/uid_map; exec sleep 1000'], async (running) => {
    await running.until(/ 65536\r/);
    file = `/run/systemd/nspawn-uid/${running.output.trim().split(/\s+/)[1]}`;
    assert.ok(existsSync(file));
    process.kill(running.pid, 'SIGTERM');
    await running.exited;
  });
  assert.is(existsSync(file), false);
  assert.is(tsnspawn([...args, '--pipe', '/bin/none']).status, 1);
  assert.is(tsnspawn([...args, '--dry-run', 'true']).status, 0);
  assert.is(existsSync(file), false, 'after a failure and a look');
});

it('the root of the guest is a user of its range on the host, and the files that it makes are root’s in the tree', () =>
  withMachine(['-q', '-U', '-D', tree, 'sh', '-c', 'touch /made; id -u; exec sleep 1000'], async (running) => {
    await running.until(/^0$/m);
    const { init } = footprintOf(running);
    assert.ok(statSync(`/proc/${init}`).uid >= 524288);
    assert.is(statSync(join(tree, 'made')).uid, 0);
    rmSync(join(tree, 'made'));
  }));

it('the root of the guest has no power over what is the host’s', () => {
  const script = `
    for file in /proc/sys/kernel/core_pattern /proc/sysrq-trigger /sys/kernel/uevent_helper; do
      (echo x > $file) 2>/dev/null && echo wrote $file
    done
    mknod /tmp/disk b 254 0 2>/dev/null && echo made a device
    hostname other && echo named
    mount -t tmpfs none /mnt && echo mounted`;
  mkdirSync(join(tree, 'mnt'), { recursive: true });
  assert.is(sh(script, '-U'), 'named\nmounted\n');
});

it('what is read-only, covered or mounted for the guest cannot be undone by its root', () => {
  mkdirSync(join(scratch, 'data'));
  mkdirSync(join(tree, 'data'));
  writeFileSync(join(scratch, 'data/file'), 'kept');
  chownSync(join(scratch, 'data'), 0, 0);
  const bind = `--bind-ro=${scratch}/data:/data:idmap`;
  const script = `
    mount -o remount,rw,bind /data 2>/dev/null; mount -o remount,rw /data 2>/dev/null
    (echo broken > /data/file) 2>/dev/null && echo wrote to the bind
    umount /data 2>/dev/null && echo unmounted the bind
    umount /run /run/host /dev /tmp 2>/dev/null && echo unmounted the rest
    mount -o remount,rw,bind / 2>/dev/null; (echo x > /x) 2>/dev/null && echo wrote to the tree
    umount /etc/inittab 2>/dev/null && echo uncovered
    cat /data/file`;
  assert.is(sh(script, '-U', '--read-only', bind, '--inaccessible=/etc/inittab'), 'kept');
  assert.is(readFileSync(join(scratch, 'data/file'), 'utf8'), 'kept');
});

it('not even in /proc and /sys, which the guest mounts itself', () => {
  const own = join(scratch, 'own');
  mkdirSync(own);
  writeFileSync(join(own, 'file'), 'kept');
  const script = `
    for mount in /proc/driver /sys/fs/bpf; do
      mount -o remount,rw,bind $mount 2>/dev/null; mount -o remount,rw $mount 2>/dev/null
      (echo broken > $mount/file) 2>/dev/null && echo wrote to $mount
    done
    (echo broken > /proc/uptime) 2>/dev/null && echo wrote to the file
    cat /proc/driver/file /sys/fs/bpf/file /proc/uptime
    echo changed > /proc/loadavg; ls /run/host/incoming`;
  const writable = join(scratch, 'writable');
  writeFileSync(writable, '');
  const output = sh(
    script,
    '-U',
    '--private-network',
    `--bind-ro=${own}:/proc/driver:idmap`,
    `--bind-ro=${own}:/sys/fs/bpf:idmap`,
    `--bind-ro=${join(own, 'file')}:/proc/uptime:idmap`,
    `--bind=${writable}:/proc/loadavg:idmap`,
  );
  assert.is(output, 'keptkeptkept');
  assert.is(readFileSync(join(own, 'file'), 'utf8'), 'kept');
  assert.is(readFileSync(writable, 'utf8'), 'changed\n');
});

it('without a user namespace the same bind could be written to: it is the namespace that locks it', () => {
  mkdirSync(join(scratch, 'open'));
  const script = 'mount -o remount,rw,bind /data && touch /data/new && echo wrote';
  assert.is(sh(script, `--bind-ro=${scratch}/open:/data`), 'wrote\n');
});

it('devices work although the guest may make none', () => {
  const script = 'echo x > /dev/null && head -c 4 /dev/zero | wc -c && stat -c "%t %T %u %a" /dev/full /dev/null';
  assert.is(sh(script, '-U'), '4\n1 7 0 666\n1 3 0 666\n');
});

it('everything that is made for the guest belongs to its root', () => {
  const script =
    'for p in /dev /dev/null /dev/pts /dev/shm /run /run/host /run/host/container-uuid /tmp /sys/fs/cgroup /run/host/notify; do stat -c "%n %u:%g" $p; done';
  for (const line of sh(script, '-U').trim().split('\n')) assert.match(line, / 0:0$/);
});

it('a network of its own comes with a user namespace', () => {
  assert.is(
    sh(
      'ls /sys/class/net; ip link set lo down && echo 0 > /proc/sys/net/ipv4/ip_forward && echo mine',
      '-U',
      '--private-network',
    ),
    'lo\nmine\n',
  );
});

it('resource limits are set as asked, the user of the guest included', () => {
  assert.is(sh('ulimit -n; id -un', '-U', '--rlimit=NOFILE=50', '-u', 'nobody'), '50\nnobody\n');
});

it('the unmapped show as nobody', () => {
  const own = join(scratch, 'mine');
  mkdirSync(own);
  writeFileSync(join(own, 'file'), '');
  chownSync(join(own, 'file'), 1234, 1234);
  const [uid] = sh('stat -c %u /mnt/file', '-U', `--bind=${own}:/mnt`).trim().split('\n');
  assert.is(uid, '65534');
});

it('idmap, rootidmap and owneridmap show a bind’s owners shifted, as root, and as the owner of the place', () => {
  const data = join(scratch, 'owned');
  mkdirSync(data);
  writeFileSync(join(data, 'mine'), '');
  for (const path of [data, join(data, 'mine')]) chownSync(path, 1000, 1000);
  mkdirSync(join(tree, 'place'), { recursive: true });
  chownSync(join(tree, 'place'), 33, 33);
  const owner = (option: string) => sh('stat -c %u:%g /place/mine', '-U', `--bind=${data}:/place:${option}`).trim();
  assert.is(owner('noidmap'), '65534:65534');
  assert.is(owner('idmap'), '1000:1000');
  assert.is(owner('rootidmap'), '0:0');
  assert.is(owner('owneridmap'), '33:33');
  sh('touch /place/new', '-U', `--bind=${data}:/place:rootidmap`);
  assert.is(statSync(join(data, 'new')).uid, 1000);
});

it('chown moves the owners on the disk, keeps set-id bits, and can be taken back', () => {
  const copy = join(scratch, 'copy');
  cpSync(tree, copy, { recursive: true, verbatimSymlinks: true, preserveTimestamps: true });
  writeFileSync(join(copy, 'suid'), '');
  chownSync(join(copy, 'suid'), 7, 8);
  execFileSync('chmod', ['6755', join(copy, 'suid')]);
  mkdirSync(join(copy, 'deep/er'), { recursive: true });
  chownSync(join(copy, 'deep/er'), 1000, 1000);
  const run = (base: number) =>
    tsnspawn([
      '-q',
      '-D',
      copy,
      '--pipe',
      `--private-users=${base}`,
      '--private-users-ownership=chown',
      'stat',
      '-c',
      '%u:%g %a',
      '/suid',
    ]);
  const first = run(BASE);
  assert.is(first.stdout, '7:8 6755\n', first.stderr);
  const owner = (path: string) => [lstatSync(join(copy, path)).uid - BASE, lstatSync(join(copy, path)).gid - BASE];
  assert.equal(
    [owner('suid'), owner('deep/er'), owner('.'), owner('usr/bin/sh')],
    [
      [7, 8],
      [1000, 1000],
      [0, 0],
      [0, 0],
    ],
  );
  assert.is(tsnspawn(['-q', '-D', copy, '--pipe', '--private-users', 'stat', '-c', '%u', '/suid']).stdout, '7\n');
  assert.is(run(0).stdout, '7:8 6755\n');
  assert.is(statSync(join(copy, 'suid')).uid, 7);
});

itWithLists('chown moves the users and groups of access control lists and of capabilities, and follows no link', () => {
  const copy = join(scratch, 'lists');
  const outside = join(scratch, 'outside');
  cpSync(tree, copy, { recursive: true, verbatimSymlinks: true });
  for (const path of ['acl', 'cap']) writeFileSync(join(copy, path), '');
  mkdirSync(join(copy, 'dir'));
  writeFileSync(outside, '');
  symlinkSync(outside, join(copy, 'link'));
  linkSync(join(copy, 'acl'), join(copy, 'again'));
  execFileSync('setfacl', ['-m', 'u:1000:r,g:2000:rw', join(copy, 'acl')]);
  execFileSync('setfacl', ['-d', '-m', 'u:1000:r', join(copy, 'dir')]);
  execFileSync('setcap', ['cap_net_raw+ep', join(copy, 'cap')]);
  const list = (path: string) =>
    execFileSync('getfacl', ['-cnp', join(copy, path)], { encoding: 'utf8' }).match(/^\S*(user|group):\d+:\S+/gm) ?? [];
  const capability = () =>
    execFileSync('getcap', ['-n', join(copy, 'cap')], { encoding: 'utf8' })
      .split(' ')
      .slice(1);
  const own = { acl: list('acl'), dir: list('dir'), cap: capability() };
  assert.equal([own.acl, own.dir], [['user:1000:r--', 'group:2000:rw-'], ['default:user:1000:r--']]);
  const chown = (base: number) => {
    const options = [`--private-users=${base}`, '--private-users-ownership=chown'];
    const { status, stderr } = tsnspawn(['-q', '-D', copy, '--pipe', ...options, 'true']);
    assert.is(status, 0, stderr);
  };
  chown(BASE);
  assert.equal(list('acl'), [`user:${BASE + 1000}:r--`, `group:${BASE + 2000}:rw-`]);
  assert.equal(list('dir'), [`default:user:${BASE + 1000}:r--`]);
  assert.equal(capability(), [own.cap[0]?.trim(), `[rootid=${BASE}]\n`]);
  assert.equal([lstatSync(join(copy, 'link')).uid, lstatSync(join(copy, 'again')).uid], [BASE, BASE]);
  assert.is(statSync(outside).uid, 0);
  chown(0);
  assert.equal({ acl: list('acl'), dir: list('dir'), cap: capability() }, own);
});

it('chown with --ephemeral changes the layer on top, and not the tree', () => {
  const out = sh(
    'stat -c %u / /etc /etc/passwd; touch /etc/new && echo wrote',
    '-x',
    `--private-users=${BASE}`,
    '--private-users-ownership=chown',
  );
  assert.is(out, '0\n0\n0\nwrote\n');
  assert.is(statSync(join(tree, 'etc/passwd')).uid, 0);
});

it('a tree is refused where its owners are not to be had', () => {
  const refused = (...options: string[]) => {
    const { status, stderr } = tsnspawn(['-q', '-D', tree, '--pipe', ...options, 'true']);
    assert.is(status, 1);
    return stderr;
  };
  assert.match(refused('--private-users=managed'), /--private-users=managed needs systemd-nsresourced/);
  assert.match(refused('-U', '--private-users-ownership=foreign'), /foreign/);
  assert.match(refused(`--private-users=${BASE}:5`, '--private-users-ownership=chown'), /whole range/);
  assert.not(existsSync(join(tree, 'x')));
});

it('nothing of a guest with a user namespace is left, whoever is killed', async () => {
  for (const victim of ['launcher', 'monitor', 'init'] as const) {
    await withMachine(['-q', '-U', '-x', '-D', tree, 'sh', '-c', 'echo up; exec sleep 1000'], async (running) => {
      await running.until(/up/);
      const footprint = footprintOf(running);
      process.kill(footprint[victim], 'SIGKILL');
      await running.exited;
      await nothingLeft(footprint);
    });
  }
});

test.run();
