// The differences from systemd-nspawn that are meant. Each is a row of docs/compatibility.md, which gives the reason; one that does not
// occur any more is an error, here as there.

export interface Expected {
  /** the first cell of the row */
  readonly row: string;
  /** what differs: see Difference */
  readonly key: RegExp;
  readonly ours?: RegExp;
  readonly theirs?: RegExp;
  /** only in the cases of this name */
  readonly promise?: RegExp;
  /** last version of systemd-nspawn that differs */
  readonly until?: number;
}

export const EXPECTED: readonly Expected[] = [
  {
    row: '`$container`',
    key: /^environ( of 1)? container$|^file \/run\/host\/container-manager$/,
    ours: /^tsnspawn$/m,
  },
];
