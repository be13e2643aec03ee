// busybox as PID 1 by the ptrace engine, for an ordinary user: its scripts run, the console has a shell, and it reboots and powers off.

import { appendFileSync, chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { needs, only } from '../support/needs';
import { OrdinaryUser } from '../support/users';

const missing = needs('root', 'arch:x64', 'command:setpriv');
const it = only(test, missing);
let user: OrdinaryUser | undefined;

for (const accelerator of ['none', 'trace', 'inprocess']) {
  it(`a busybox guest runs its scripts, gives a shell, reboots and powers off: ${accelerator}`, async () => {
    user ??= new OrdinaryUser({ subordinate: false });
    const tree = user.tree('busybox', `busybox-${accelerator}`);
    writeFileSync(
      join(tree, 'etc/rc'),
      '#!/bin/sh\necho "the script of $(cat /proc/$$/comm) runs, before it $(ls /var/log/boots | wc -l)"\n: >/var/log/boots/$$\n',
    );
    chmodSync(join(tree, 'etc/rc'), 0o755);
    appendFileSync(join(tree, 'etc/inittab'), '::sysinit:/bin/mkdir -p /var/log/boots\n::sysinit:/etc/rc\n');
    const running = user.startOnTerminal(['--engine=ptrace', '-bD', tree], {
      env: { TSNSPAWN_PTRACE_ACCEL: accelerator },
      timeout: 120,
    });
    await running.until(/the script of rc runs, before it 0[\s\S]*# /);
    running.write('echo "PID 1 is" $(cat /proc/1/comm), $(id -un)\n');
    await running.until(/PID 1 is init, root/);
    running.write('reboot\n');
    await running.until(/is being rebooted[\s\S]*the script of rc runs, before it 1[\s\S]*# /);
    running.write('poweroff\n');
    await running.until(/has been shut down/);
    assert.is((await running.exited).status, 0);
  });
}

test.run();
