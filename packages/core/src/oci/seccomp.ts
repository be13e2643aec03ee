// The system call filter of a bundle. Only one that takes calls away can be given: it is put on top of the container's own, which
// stays in force. A list of all that is allowed would have to replace that.

import type { FilterRule } from '../spec';
import { required, unsupported, type Value } from './json';

const EPERM = 1;

export function readSeccomp(seccomp: Value): FilterRule[] {
  const fields = seccomp.fields(
    ...([
      'defaultAction',
      'defaultErrnoRet',
      'architectures',
      'flags',
      'listenerPath',
      'listenerMetadata',
      'syscalls',
    ] as const),
  );
  unsupported(fields.listenerPath);
  unsupported(fields.listenerMetadata);
  for (const flag of fields.flags?.list() ?? [])
    flag.oneOf('SECCOMP_FILTER_FLAG_TSYNC', 'SECCOMP_FILTER_FLAG_LOG', 'SECCOMP_FILTER_FLAG_SPEC_ALLOW');
  // the filter is for all architectures that the machine runs
  for (const name of fields.architectures?.list() ?? []) {
    if (!/^SCMP_ARCH_[A-Z0-9_]+$/.test(name.text())) name.fail(`'${name.text()}' is not an architecture`);
  }
  const action = required(fields.defaultAction, seccomp, 'defaultAction');
  if (action.text() !== 'SCMP_ACT_ALLOW') {
    action.fail(
      `'${action.text()}' is not supported: only filters that allow what they do not name`,
      'without linux.seccomp the default filter of containers is in force; --system-call-filter changes it',
    );
  }
  return (fields.syscalls?.list() ?? []).flatMap(readRule);
}

function readRule(rule: Value): FilterRule[] {
  const fields = rule.fields('names', 'action', 'errnoRet', 'args');
  const names = required(fields.names, rule, 'names')
    .list()
    .map((name) => {
      if (!/^[a-z0-9_]+$/.test(name.text())) name.fail(`'${name.text()}' is not a name of a system call`);
      return name.text();
    });
  if (names.length === 0) rule.fail('names no system call');
  const action = required(fields.action, rule, 'action');
  if (action.text() === 'SCMP_ACT_ALLOW') return [];
  if (action.text() !== 'SCMP_ACT_ERRNO') action.fail(`'${action.text()}' is not supported: a call can be refused`);
  if (fields.errnoRet !== undefined && fields.errnoRet.integer(0, 4095) !== EPERM)
    fields.errnoRet.fail('is not supported: calls are refused with EPERM, 1');
  if ((fields.args?.list().length ?? 0) > 0)
    fields.args?.fail('is not supported: calls are refused whatever their arguments');
  return [{ deny: true, names }];
}
