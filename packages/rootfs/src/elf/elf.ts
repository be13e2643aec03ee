// What the dynamic loader reads of an ELF file: its interpreter, the libraries it needs, and where it wants them looked for.
// Both classes and both byte orders, as hosts of every kind make trees of themselves.

export interface Elf {
  /** Class, byte order and machine: only files that agree in it can be loaded together. */
  readonly kind: string;
  readonly interpreter: string | undefined;
  readonly needed: readonly string[];
  readonly rpath: readonly string[];
  readonly runpath: readonly string[];
}

const PT_LOAD = 1;
const PT_DYNAMIC = 2;
const PT_INTERP = 3;
const DT_NULL = 0;
const DT_NEEDED = 1;
const DT_STRTAB = 5;
const DT_RPATH = 15;
const DT_RUNPATH = 29;

interface Segment {
  readonly type: number;
  readonly offset: number;
  readonly address: number;
  readonly size: number;
}

/** Read an ELF file; undefined for a file that is none, or a damaged one. */
export function parseElf(file: Buffer): Elf | undefined {
  if (file.length < 52 || file.readUInt32BE(0) !== 0x7f454c46) return undefined;
  const wide = file[4] === 2;
  const little = file[5] === 1;
  const half = (at: number): number => (little ? file.readUInt16LE(at) : file.readUInt16BE(at));
  const word = (at: number): number => (little ? file.readUInt32LE(at) : file.readUInt32BE(at));
  const long = (at: number): number =>
    wide ? Number(little ? file.readBigUInt64LE(at) : file.readBigUInt64BE(at)) : word(at);
  try {
    const segments: Segment[] = [];
    const table = long(wide ? 32 : 28);
    const entrySize = half(wide ? 54 : 42);
    for (let index = 0; index < half(wide ? 56 : 44); index++) {
      const at = table + index * entrySize;
      segments.push({
        type: word(at),
        offset: long(at + (wide ? 8 : 4)),
        address: long(at + (wide ? 16 : 8)),
        size: long(at + (wide ? 32 : 16)),
      });
    }
    const text = (at: number): string => file.toString('latin1', at, file.indexOf(0, at));
    const interpreter = segments.find((segment) => segment.type === PT_INTERP);
    const found = { needed: [] as string[], rpath: [] as string[], runpath: [] as string[] };
    const dynamic = segments.find((segment) => segment.type === PT_DYNAMIC);
    if (dynamic !== undefined) {
      const entries: Array<readonly [tag: number, value: number]> = [];
      const step = wide ? 16 : 8;
      for (let at = dynamic.offset; at < dynamic.offset + dynamic.size; at += step) {
        const tag = long(at);
        if (tag === DT_NULL) break;
        entries.push([tag, long(at + step / 2)]);
      }
      const address = entries.find(([tag]) => tag === DT_STRTAB)?.[1] ?? 0;
      const home = segments.find(
        ({ type, address: start, size }) => type === PT_LOAD && address >= start && address < start + size,
      );
      const strings = home === undefined ? address : address - home.address + home.offset;
      for (const [tag, value] of entries) {
        if (tag === DT_NEEDED) found.needed.push(text(strings + value));
        if (tag === DT_RPATH) found.rpath.push(...text(strings + value).split(':'));
        if (tag === DT_RUNPATH) found.runpath.push(...text(strings + value).split(':'));
      }
    }
    return {
      kind: `${file[4]} ${file[5]} ${half(18)}`,
      interpreter: interpreter && text(interpreter.offset),
      ...found,
    };
  } catch (error) {
    if (error instanceof RangeError || (error as { code?: string }).code === 'ERR_OUT_OF_RANGE') return undefined;
    throw error;
  }
}
