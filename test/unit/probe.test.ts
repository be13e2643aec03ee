import { readFileSync } from 'node:fs';
import { RLIMITS } from '@tsnspawn/core';
import { parseMountinfo, probeHost, subordinateRanges } from '@tsnspawn/runtime';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

function mountsAt(path: string): string[] {
  const line = `30 23 0:26 / ${path} rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate`;
  return parseMountinfo(`${line}\n31 23 0:5 / /dev rw - devtmpfs udev rw\n`, ['cgroup2']).map((mount) => mount.path);
}

test('mount points keep their characters, escaped or not', () => {
  assert.equal(mountsAt('/sys/fs/cgroup'), ['/sys/fs/cgroup']);
  assert.equal(mountsAt('/mnt/ünit'), ['/mnt/ünit']);
  assert.equal(mountsAt('/mnt/\\303\\274nit'), ['/mnt/ünit']);
  assert.equal(mountsAt('/a\\040b\\011ü\\134\\134040'), ['/a b\tü\\\\040']);
});

test('the limits stand in the order of their numbers, as the kernel lists them', () => {
  const words = [...readFileSync('/proc/self/limits', 'utf8').matchAll(/^Max (.*?) {2,}/gm)].map(([, name]) => name);
  const names: { readonly [limit in (typeof RLIMITS)[number]]: string } = {
    AS: 'address space',
    CORE: 'core file size',
    CPU: 'cpu time',
    DATA: 'data size',
    FSIZE: 'file size',
    LOCKS: 'file locks',
    MEMLOCK: 'locked memory',
    MSGQUEUE: 'msgqueue size',
    NICE: 'nice priority',
    NOFILE: 'open files',
    NPROC: 'processes',
    RSS: 'resident set',
    RTPRIO: 'realtime priority',
    RTTIME: 'realtime timeout',
    SIGPENDING: 'pending signals',
    STACK: 'stack size',
  };
  assert.equal(
    RLIMITS.map((limit) => names[limit]),
    words,
  );
});

test('the hard limits of this process are found', () => {
  const files = /^Max open files +\S+ +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
  assert.is(String(probeHost().hardLimits.NOFILE), files);
});

test('the ranges of subuid(5) are those of its well-formed lines', () => {
  const text = '# a comment\nann:100000:65536\n\nann:7:x\n1000:165536:1\n:5:5\nbob:1:2:3\nlast:300000:10';
  assert.equal(subordinateRanges(text), [
    { owner: 'ann', first: 100000, size: 65536 },
    { owner: '1000', first: 165536, size: 1 },
    { owner: 'last', first: 300000, size: 10 },
  ]);
});

test.run();
