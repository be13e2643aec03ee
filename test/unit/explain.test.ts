import { constants } from 'node:os';
import { describeErrno, type FailedStep, formatError, StepError, UsageError } from '@tsnspawn/core';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

const ENOENT = 2;
const ESRCH = 3;
const EPERM = 1;
const EROFS = 30;
const ENOSYS = 38;

const EXEC = { op: 'exec', candidates: [{ path: 'frob' }], args: [], env: [] } as const;
const OPEN_TREE = { op: 'openTree', source: '/srv/tree', recursive: true, flags: [], as: 'root' } as const;

test('an error says what was tried, on what, and why it failed', () => {
  const error = new StepError({ op: 'mount', fs: 'proc', target: '/proc', flags: ['nosuid'], data: '' }, EPERM);
  assert.is(error.message, 'cannot mount proc on /proc (nosuid): Operation not permitted');
  assert.equal([error.code, error.syscall, error.errno], ['EPERM', 'mount', 1]);
});

test('the sign of an errno does not count', () => {
  assert.is(new StepError({ op: 'session' }, -EPERM).message, 'cannot start a session: Operation not permitted');
});

test('a command that is not there is called not found, and the one that was tried is named', () => {
  const error = new StepError(EXEC, ENOENT, 'frob');
  assert.is(error.message, 'cannot execute frob: No such file or directory');
  assert.match(error.hint ?? '', /command not found in the tree/);
  assert.match(new StepError({ ...EXEC, candidates: [{ path: '/x' }] }, ENOENT).hint ?? '', /\/x is not in the tree/);
});

test('a boot without an init names every place that was tried', () => {
  const candidates = [{ path: '/lib/systemd/systemd' }, { path: '/sbin/init' }];
  const error = new StepError({ ...EXEC, candidates }, ENOENT);
  assert.is(error.message, 'cannot execute /lib/systemd/systemd or /sbin/init: No such file or directory');
  assert.match(error.hint ?? '', /no init found/);
});

test('what root may not do is forbidden by what it runs in: nobody is told to become root', () => {
  const error = new StepError({ op: 'clone', namespaces: ['pid', 'mnt'] }, EPERM);
  assert.is(error.message, 'cannot make the namespaces of the container (pid,mnt): Operation not permitted');
  const steps: FailedStep[] = [
    { op: 'clone', namespaces: ['pid'] },
    { op: 'cgroup', mount: '/sys/fs/cgroup', path: '/x', as: 'cgroup', into: true },
    OPEN_TREE,
  ];
  for (const step of steps) {
    const { hint = '' } = new StepError(step, EPERM);
    assert.match(hint, /inside another container\? it must allow .* security profile/);
    assert.not.match(hint, /sudo/);
  }
});

test('a kernel without detached mounts and their flags is told the one that has both', () => {
  assert.match(new StepError(OPEN_TREE, ENOSYS).hint ?? '', /Linux 5\.12 or newer/);
});

test('failures that people meet have a hint', () => {
  const hint = (step: FailedStep, errno: number) => new StepError(step, errno).hint ?? '';
  assert.match(hint({ op: 'lookupUser', user: 'joe' }, ESRCH), /\/etc\/passwd in the tree/);
  assert.match(hint({ op: 'chdir', path: '/x' }, ENOENT), /must exist/);
  const bind = { op: 'bind', source: { from: '/data' }, target: '/x', recursive: true, flags: [] } as const;
  assert.match(hint(bind, EROFS), /\/x does not exist and the tree is read-only/);
  assert.is(hint({ ...bind, source: '/data' }, ENOENT), '/data is a path of the tree');
  assert.is(hint({ op: 'session' }, EPERM), '');
});

test('an error is printed on one line, its hint on the next', () => {
  assert.is(formatError(new UsageError('bad thing', { hint: 'do this' })), 'tsnspawn: bad thing\nhint: do this\n');
  assert.is(formatError(new UsageError('bad thing')), 'tsnspawn: bad thing\n');
});

test('errno numbers have their names and texts, also those nobody knows', () => {
  assert.equal(describeErrno(1), { name: 'EPERM', text: 'Operation not permitted' });
  assert.equal(describeErrno(95), { name: 'EOPNOTSUPP', text: 'Operation not supported' });
  assert.equal(describeErrno(133), { name: 'EHWPOISON', text: 'Memory page has hardware error' });
  assert.equal(describeErrno(4095), { name: 'E4095', text: 'Unknown error 4095' });
});

test('the errno names are those of this kernel', () => {
  for (const [name, number] of Object.entries(constants.errno)) {
    // two names share a number
    if (name === 'EWOULDBLOCK' || name === 'ENOTSUP') continue;
    assert.is(describeErrno(number).name, name);
  }
});

test.run();
