// The ptrace engine with programs of 32 bits, as an ordinary user has it. What each call answers is in test/conformance.

import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { needs, only } from '../support/needs';
import { OrdinaryUser } from '../support/users';

const it = only(test, needs('root', 'mirror', 'arch:x64', 'narrow', 'command:setpriv'));

let known: { user: OrdinaryUser; tree: string } | undefined;
function place(): { user: OrdinaryUser; tree: string } {
  if (known === undefined) {
    const user = new OrdinaryUser({ subordinate: false });
    known = { user, tree: user.tree('i386') };
    for (const [name, machine] of [
      ['narrow', '-m32'],
      ['wide', '-m64'],
    ] as const) {
      // executes what it is told
      const program = `#include <unistd.h>\nint main(int n, char** v) { return execvp(v[1], v + 1); }\n`;
      const path = join(known.tree, 'usr/local/bin', name);
      execFileSync('gcc', [machine, '-static', '-x', 'c', '-o', path, '-'], { input: program });
    }
  }
  return known;
}

for (const accelerator of ['none', 'trace', 'inprocess']) {
  const inside = (script: string, options: readonly string[] = []) => {
    const { user, tree } = place();
    const words = ['--engine=ptrace', '-qP', `-D${tree}`, ...options, 'sh', '-c', script];
    return user.tsnspawn(words, { env: { TSNSPAWN_PTRACE_ACCEL: accelerator }, timeout: 120 });
  };

  it(`${accelerator}: the programs of an i386 tree run, and are the kernel's to run`, () => {
    const { stdout, stderr } = inside('uname -m; id; ls -ld /etc/passwd /bin; stat -c "%U %A" /etc/shadow');
    assert.match(
      stdout,
      /^x86_64\nuid=0\(root\).*\n.* root root .* \/bin -> usr\/bin\n.* root root .* \/etc\/passwd\nroot -rw-r-----\n$/,
    );
    assert.is(stderr, '');
  });

  it(`${accelerator}: dpkg and apt of an i386 tree work`, () => {
    const { status, stdout, stderr } = inside(
      'dpkg --print-architecture; dpkg -l dpkg | tail -1; dpkg -V dpkg && apt-get -q check && chown mail /srv && stat -c %U /srv; chown root /srv',
    );
    assert.match(stdout, /^i386\nii +dpkg +\S+ +i386 .*\n(.*\n)*mail\n$/);
    assert.equal([status, stderr], [0, '']);
  });

  it(`${accelerator}: programs of 32 and of 64 bits execute each other`, () => {
    const { stdout, stderr } = inside('wide narrow wide wide narrow narrow echo "there and back"');
    assert.equal([stdout, stderr], ['there and back\n', '']);
  });

  it(`${accelerator}: with the personality of 32 bits the machine is another`, () => {
    assert.is(inside('setarch i686 uname -m; setarch i686 wide uname -m; uname -m').stdout, 'i686\ni686\nx86_64\n');
  });
}

test.run();
