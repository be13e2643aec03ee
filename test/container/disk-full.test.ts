// Owners are remembered beside the tree for what can carry no attributes. When the disk is full, chown(2) says so, and what had been
// remembered before, and is remembered after, is not lost.

import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { needs, only } from '../support/needs';
import { OrdinaryUser } from '../support/users';

const missing = needs('root', 'namespaces', 'command:setpriv');
const it = only(test, missing);

/** Until the disk is full, and when there is room again. A link takes no room of its own there, its owner a line of a file. */
const FILLS = `
ln -s x /before; chown -h 5:6 /before
dd if=/dev/zero of=/fill bs=4096 2>/dev/null
i=0; while [ $i -lt 300 ]; do
  ln -s x /s$i
  chown -h 7:8 /s$i 2>/said || { stat -c 'refused: %u:%g' /s$i; break; }
  i=$((i + 1))
done
rm /fill
ln -s x /after; chown -h 9:10 /after; echo $i`;

const LOOKS = `stat -c %u:%g /before /after; i=0
while [ -L /s$i ]; do stat -c %u:%g /s$i; i=$((i + 1)); done | sort | uniq -c`;

for (const engine of ['namespaces', 'ptrace']) {
  it(`a full disk refuses an owner, and loses none: ${engine}`, () => {
    const user = new OrdinaryUser({ subordinate: false });
    const small = join(user.home, 'small');
    mkdirSync(small);
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=8m,uid=${user.uid},gid=${user.gid}`, 'none', small]);
    try {
      const tree = user.tree('busybox', 'small/tree');
      const run = (script: string) => {
        const { status, stdout, stderr } = user.tsnspawn([`--engine=${engine}`, '-qPD', tree, 'sh', '-c', script]);
        assert.is(status, 0, stderr);
        return stdout.trim().split('\n');
      };
      const [refused, last] = run(FILLS);
      assert.is(refused, 'refused: 0:0');
      // more than one, so that a line was cut in its midst
      assert.ok(Number(last) > 20, `${last} were remembered`);
      const [before, after, ...links] = run(LOOKS);
      assert.equal([before, after], ['5:6', '9:10']);
      assert.equal(
        links.map((line) => line.trim()),
        ['1 0:0', `${last} 7:8`],
      );
    } finally {
      execFileSync('umount', ['-l', small]);
      user.remove();
    }
  });
}

test.run();
