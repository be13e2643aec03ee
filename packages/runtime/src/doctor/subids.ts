// Subordinate ids of all users: subuid(5).

export interface Subordinate {
  /** name or number of the user */
  readonly owner: string;
  readonly first: number;
  readonly size: number;
}

/** Lines `NAME:FIRST:COUNT`; what is none is left out, as the system does. */
export function parseSubordinate(text: string): Subordinate[] {
  return [...text.matchAll(/^([^:\n#]+):(\d+):(\d+)[^\S\n]*$/gm)].map(([, owner = '', first, size]) => ({
    owner,
    first: Number(first),
    size: Number(size),
  }));
}

/** How many of the ids are the user's, who goes by these names. */
export function countOf(ranges: readonly Subordinate[], names: readonly (string | undefined)[]): number {
  return ranges.filter(({ owner }) => names.includes(owner)).reduce((sum, { size }) => sum + size, 0);
}

/** Where useradd(8) begins. */
const FIRST = 100_000;
/** Ranges are this large, and begin at a multiple behind FIRST. */
const STEP = 65_536;

/** The first range that lies behind all that are given away. */
export function freeFrom(ranges: readonly Subordinate[]): number {
  const end = Math.max(FIRST, ...ranges.map(({ first, size }) => first + size));
  return FIRST + Math.ceil((end - FIRST) / STEP) * STEP;
}
