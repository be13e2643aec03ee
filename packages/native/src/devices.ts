// A device policy as a program for BPF_PROG_TYPE_CGROUP_DEVICE (linux/bpf.h, since 4.15): run at each open and mknod of a node,
// it answers 1 to let it through.

import type { DeviceRule } from '@tsnspawn/core';

/** Operation codes: class, size and mode of each, linux/bpf_common.h. */
const LOAD_WORD = 0x61;
const MOVE = 0xb7;
const MOVE_REGISTER = 0xbf;
const AND = 0x57;
const SHIFT_RIGHT = 0x77;
const JUMP_IF_NOT_EQUAL = 0x55;
const EXIT = 0x95;

/** struct bpf_cgroup_dev_ctx: access_type (kind of node low, access high), major, minor. */
const ACCESS_TYPE = 0;
const MAJOR = 4;
const MINOR = 8;

/** BPF_DEVCG_DEV_* and BPF_DEVCG_ACC_*. */
const KINDS = { block: 1, char: 2 } as const;
const ACCESS = { m: 1, r: 2, w: 4 } as const;

type Instruction = readonly [code: number, to: number, from: number, offset: number, value: number];

/** The program: eight bytes an instruction. */
export function deviceProgram(rules: readonly DeviceRule[]): Buffer {
  const program: Instruction[] = [
    [LOAD_WORD, 2, 1, ACCESS_TYPE, 0],
    [MOVE_REGISTER, 3, 2, 0, 0],
    [AND, 2, 0, 0, 0xffff], // kind
    [SHIFT_RIGHT, 3, 0, 0, 16], // access
    [LOAD_WORD, 4, 1, MAJOR, 0],
    [LOAD_WORD, 5, 1, MINOR, 0],
    ...rules.flatMap(ruleProgram),
    [MOVE, 0, 0, 0, 0],
    [EXIT, 0, 0, 0, 0],
  ];
  const bytes = Buffer.alloc(program.length * 8);
  for (const [index, [code, to, from, offset, value]] of program.entries()) {
    bytes.writeUInt8(code, index * 8);
    bytes.writeUInt8(to | (from << 4), index * 8 + 1);
    bytes.writeInt16LE(offset, index * 8 + 2);
    bytes.writeInt32LE(value, index * 8 + 4);
  }
  return bytes;
}

/** Falls through to the next rule unless everything fits. */
function ruleProgram({ type, major, minor, access }: DeviceRule): Instruction[] {
  const granted = [...access].reduce((bits, letter) => bits | ACCESS[letter as keyof typeof ACCESS], 0);
  const tests: Instruction[] = [
    [JUMP_IF_NOT_EQUAL, 2, 0, 0, KINDS[type]],
    ...(major === undefined ? [] : [[JUMP_IF_NOT_EQUAL, 4, 0, 0, major] as const]),
    ...(minor === undefined ? [] : [[JUMP_IF_NOT_EQUAL, 5, 0, 0, minor] as const]),
    [MOVE_REGISTER, 0, 3, 0, 0],
    [AND, 0, 0, 0, ~granted & 7], // what is asked for beyond that
    [JUMP_IF_NOT_EQUAL, 0, 0, 0, 0],
    [MOVE, 0, 0, 0, 1],
    [EXIT, 0, 0, 0, 0],
  ];
  return tests.map((test, at) => {
    const [code, to, from, , value] = test;
    return code === JUMP_IF_NOT_EQUAL ? [code, to, from, tests.length - at - 1, value] : test;
  });
}
