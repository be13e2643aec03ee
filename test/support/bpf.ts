// A machine for seccomp programs: classic BPF is a dozen lines. Answers are those that the kernel would give.

import { readFileSync } from 'node:fs';
import { constants } from 'node:os';

export const { EAFNOSUPPORT, EINVAL, ENOSYS, EPERM } = constants.errno;
export const ALLOW = 'allow';
export type Answer = typeof ALLOW | number;

export interface Arch {
  /** AUDIT_ARCH_* */
  readonly audit: number;
  /** the column of the calls' numbers, in the tables of the tests */
  readonly column: 0 | 1 | 2 | 3;
}
export const X86_64: Arch = { audit: 0xc000003e, column: 0 };
export const X86: Arch = { audit: 0x40000003, column: 1 };
const AARCH64: Arch = { audit: 0xc00000b7, column: 2 };
const ARM: Arch = { audit: 0x40000028, column: 3 };
/** Of this machine: the native one first. */
export const archs: readonly [Arch, Arch] = process.arch === 'arm64' ? [AARCH64, ARM] : [X86_64, X86];

/** A program made at build time. */
export const builtIn = (name: string): Buffer => readFileSync(`packages/native/build/seccomp-${name}.bpf`);

/** What the kernel would answer to this call: the most restrictive of the programs' answers. An error beats "allow", and of two
 *  errors that of the program that was loaded last counts. */
export function evaluate(
  together: readonly Uint8Array[],
  audit: number,
  number: number,
  args: readonly bigint[] = [],
): Answer {
  const answers = together.map((program) => run(program, audit, number, args));
  return answers.findLast((answer) => answer !== ALLOW) ?? ALLOW;
}

/** Runs one program on the seccomp_data of the call. */
function run(bytes: Uint8Array, audit: number, number: number, args: readonly bigint[]): Answer {
  const program = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const data = Buffer.alloc(64);
  data.writeUInt32LE(number >>> 0, 0);
  data.writeUInt32LE(audit, 4);
  for (const [index, value] of args.entries()) data.writeBigUInt64LE(value, 16 + 8 * index);
  let accumulator = 0;
  for (let at = 0; ; at += 8) {
    const code = program.readUInt16LE(at);
    const k = program.readUInt32LE(at + 4);
    const skip = (condition: boolean) => 8 * program.readUInt8(at + (condition ? 2 : 3));
    if (code === 0x20) accumulator = data.readUInt32LE(k);
    else if (code === 0x05) at += 8 * k;
    else if (code === 0x15) at += skip(accumulator === k);
    else if (code === 0x54) accumulator = (accumulator & k) >>> 0;
    else if (code === 0x25) at += skip(accumulator > k);
    else if (code === 0x35) at += skip(accumulator >= k);
    else if (code === 0x45) at += skip((accumulator & k) !== 0);
    else if (code === 0x06 && k === 0x7fff0000) return ALLOW;
    else if (code === 0x06 && k >>> 16 === 5) return k & 0xffff;
    else throw new Error(`instruction ${at / 8} is not expected: ${code.toString(16)} ${k.toString(16)}`);
  }
}
