// What can be asked for and cannot be given yet. Nothing of it is dropped in silence.

import { UnsupportedError } from '../errors';
import type { ContainerSpec } from '../spec';

/** The option and whether the spec asks for it. */
const UNSUPPORTED: readonly (readonly [option: string, asked: (spec: ContainerSpec) => boolean])[] = [
  ['--bind-user', (spec) => spec.bindUsers.length > 0],
  ['--link-journal', (spec) => !['no', 'auto'].includes(spec.linkJournal.mode)],
];

/** @throws UnsupportedError that names the option */
export function refuseUnsupported(spec: ContainerSpec): void {
  const found = UNSUPPORTED.find(([, asked]) => asked(spec));
  if (found !== undefined) throw new UnsupportedError(`${found[0]} does not work yet`, { option: found[0] });
}
