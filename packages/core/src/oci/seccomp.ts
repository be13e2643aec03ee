// The system call filter of a bundle: it takes the place of the container's own, as with every runtime.

import type { SeccompAction, SeccompProfile } from '../plan';
import { required, unsupported, type Value } from './json';

/** Without errnoRet a call is refused with this one. */
const EPERM = 1;
const COMPARISONS = ['NE', 'LT', 'LE', 'EQ', 'GE', 'GT', 'MASKED_EQ'] as const;

export function readSeccomp(seccomp: Value): SeccompProfile {
  const fields = seccomp.fields(
    ...(['defaultAction', 'defaultErrnoRet', 'architectures', 'flags', 'listenerPath'] as const),
    ...(['listenerMetadata', 'syscalls'] as const),
  );
  unsupported(fields.listenerPath);
  unsupported(fields.listenerMetadata);
  // about how the filter is loaded and logged; no thread is there to be told of it
  for (const flag of fields.flags?.list() ?? []) {
    flag.oneOf('SECCOMP_FILTER_FLAG_TSYNC', 'SECCOMP_FILTER_FLAG_LOG', 'SECCOMP_FILTER_FLAG_SPEC_ALLOW');
  }
  return {
    action: readAction(required(fields.defaultAction, seccomp, 'defaultAction'), fields.defaultErrnoRet),
    architectures: (fields.architectures?.list() ?? []).map(readArchitecture),
    rules: (fields.syscalls?.list() ?? []).map(readRule),
  };
}

function readAction(action: Value, errno: Value | undefined): SeccompAction {
  // the largest that seccomp(2) hands on
  const number = errno?.integer(0, 4095);
  switch (action.text()) {
    case 'SCMP_ACT_ALLOW':
      return { kind: 'allow' };
    case 'SCMP_ACT_LOG':
      return { kind: 'log' };
    case 'SCMP_ACT_ERRNO':
      return { kind: 'errno', errno: number ?? EPERM };
    case 'SCMP_ACT_TRAP':
      return { kind: 'trap' };
    case 'SCMP_ACT_KILL':
    case 'SCMP_ACT_KILL_THREAD':
      return { kind: 'kill-thread' };
    case 'SCMP_ACT_KILL_PROCESS':
      return { kind: 'kill-process' };
    default:
      return action.fail(`'${action.text()}' is not supported`, 'there is no program that would trace or be notified');
  }
}

/** `SCMP_ARCH_X86_64` → `x86_64`, the name of libseccomp. */
function readArchitecture(name: Value): string {
  const match = /^SCMP_ARCH_([A-Z0-9_]+)$/.exec(name.text());
  return match?.[1]?.toLowerCase() ?? name.fail(`'${name.text()}' is not an architecture`);
}

function readRule(rule: Value): SeccompProfile['rules'][number] {
  const fields = rule.fields('names', 'action', 'errnoRet', 'args');
  const names = required(fields.names, rule, 'names').list().map(readName);
  if (names.length === 0) rule.fail('names no system call');
  return {
    names,
    action: readAction(required(fields.action, rule, 'action'), fields.errnoRet),
    args: (fields.args?.list() ?? []).map(readComparison),
  };
}

function readName(name: Value): string {
  return /^[a-z0-9_]+$/.test(name.text()) ? name.text() : name.fail(`'${name.text()}' is not a name of a system call`);
}

function readComparison(comparison: Value): SeccompProfile['rules'][number]['args'][number] {
  const { index, value, valueTwo, op } = comparison.fields('index', 'value', 'valueTwo', 'op');
  const operator = required(op, comparison, 'op');
  const found = COMPARISONS.find((word) => operator.text() === `SCMP_CMP_${word}`);
  return {
    index: required(index, comparison, 'index').integer(0, 5),
    op: found ?? operator.fail(`'${operator.text()}' is not a comparison`),
    value: required(value, comparison, 'value').integer(0, Number.MAX_SAFE_INTEGER),
    valueTwo: valueTwo?.integer(0, Number.MAX_SAFE_INTEGER) ?? 0,
  };
}
