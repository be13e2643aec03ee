// The plan as the bytes that the runner reads: see native/src/plan/wire.hh. A header, the records of the steps, and what they
// point to.

import type { ConsoleMode, FakeRootFilter, LaunchPlan, Namespace, SeccompFilter, Slot, Step } from '@tsnspawn/core';
import { Flag, fieldsOf, OPS, type Wide } from './encode/fields';
import { Heap } from './encode/heap';

const MAGIC = 0x504e5354;
const VERSION = 6;
/** 32-bit words of the header and of each step. */
const HEADER_WORDS = 18;
const STEP_WORDS = 12;

/** CLONE_NEW* of linux/sched.h. */
const NAMESPACES: Readonly<Record<Namespace, number>> = {
  mnt: 0x00020000,
  cgroup: 0x02000000,
  uts: 0x04000000,
  ipc: 0x08000000,
  user: 0x10000000,
  pid: 0x20000000,
  net: 0x40000000,
};

const CONSOLES: readonly ConsoleMode[] = ['interactive', 'read-only', 'passive', 'pipe'];

/** The flags of clone(2) for a list of namespaces. */
export function namespaceFlags(namespaces: readonly Namespace[]): number {
  return namespaces.reduce((flags, name) => flags | NAMESPACES[name], 0);
}

/**
 * Encodes a plan.
 * @param filters gives the seccomp program of a step
 * @param locks number of lock files that are handed on with it
 * @throws UnsupportedError when the plan uses more slots than the runner has
 */
export function encodePlan(
  plan: LaunchPlan,
  filters: (filter: SeccompFilter | FakeRootFilter) => Uint8Array,
  locks = 0,
): Uint8Array {
  const steps = [...plan.outer, ...plan.host, ...plan.inner, ...plan.late];
  const encoder = new Encoder(steps.length, plan.handed, filters);
  encoder.header([
    MAGIC,
    VERSION,
    0, // the size, known last
    plan.outer.length,
    plan.host.length,
    plan.inner.length,
    namespaceFlags(plan.clone.guest),
    plan.stub ? 1 : 0,
    CONSOLES.indexOf(plan.monitor.console),
    plan.monitor.killSignal,
    plan.monitor.restart ? 1 : 0,
    plan.handed.length,
    plan.late.length,
    locks,
    plan.listen,
    plan.monitor.keySignals.powerOff | (plan.monitor.keySignals.reboot << 16),
  ]);
  encoder.background(plan.monitor.background);
  encoder.ownMounts(plan.clone.monitor.includes('mnt'));
  for (const [index, step] of steps.entries()) encoder.step(step, HEADER_WORDS + index * STEP_WORDS);
  return encoder.finish();
}

/**
 * Gathers numbers in one typed array and all strings in one string, which becomes bytes in one call: this code runs once in a
 * process, uncompiled, and what it does not do itself is fast.
 */
class Encoder {
  readonly #words: Int32Array;
  readonly #heap: Heap;
  readonly #filters: (filter: SeccompFilter | FakeRootFilter) => Uint8Array;

  constructor(steps: number, handed: readonly Slot[], filters: (filter: SeccompFilter | FakeRootFilter) => Uint8Array) {
    this.#words = new Int32Array(HEADER_WORDS + steps * STEP_WORDS);
    this.#heap = new Heap(this.#words.byteLength, handed);
    this.#filters = filters;
  }

  header(values: readonly number[]): void {
    this.#words.set(values);
  }

  background(sgr: string | undefined): void {
    if (sgr !== undefined) this.#words[HEADER_WORDS - 2] = this.#heap.text(sgr);
  }

  ownMounts(own: boolean): void {
    this.#words[HEADER_WORDS - 1] = own ? 1 : 0;
  }

  finish(): Uint8Array {
    const { byteLength } = this.#words;
    const size = byteLength + this.#heap.bytes.length;
    this.#words[2] = size;
    const bytes = Buffer.allocUnsafe(size);
    bytes.set(new Uint8Array(this.#words.buffer), 0);
    bytes.write(this.#heap.bytes, byteLength, 'latin1');
    return bytes;
  }

  step(step: Step, at: number): void {
    const fields = fieldsOf(step, this.#heap, this.#filters);
    if ('try' in step && step.try) fields.flags |= Flag.Try;
    if ('replace' in step && step.replace) fields.flags |= Flag.Replace;
    const words = this.#words;
    words[at] = OPS.indexOf(step.op) | (fields.flags << 16);
    words[at + 1] = (fields.from & 0xffff) | (fields.as << 16);
    words[at + 2] = fields.mode;
    words[at + 3] = fields.n;
    this.#wide(fields.a, at + 4);
    this.#wide(fields.b, at + 6);
    words.set(fields.s, at + 8);
  }

  /** 64 bits, two's complement. */
  #wide(value: Wide, at: number): void {
    if (value === 0) return;
    const words = this.#words;
    if (value === 'infinity') words[at] = words[at + 1] = -1;
    else if (typeof value === 'number') {
      words[at] = value % 0x100000000;
      words[at + 1] = Math.floor(value / 0x100000000);
    } else {
      words[at] = value.low;
      words[at + 1] = value.high;
    }
  }
}
