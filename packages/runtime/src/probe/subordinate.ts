// subuid(5) and subgid(5): which ids beyond their own the users of this host may map.

export interface SubordinateRange {
  /** name or number of the user that has it */
  readonly owner: string;
  readonly first: number;
  readonly size: number;
}

/** The ranges in the text of such a file. Lines that say nothing, as newuidmap(1) sees it, are passed over. */
export function subordinateRanges(text: string): SubordinateRange[] {
  return [...text.matchAll(/^([^:#\s][^:\n]*):(\d+):(\d+)$/gm)].map(([, owner = '', first, size]) => ({
    owner,
    first: Number(first),
    size: Number(size),
  }));
}
