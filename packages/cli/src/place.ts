// Which machine is meant: where its tree or image is, what its settings file adds, and the tree that is made from a template.

import { existsSync, realpathSync } from 'node:fs';
import { join, resolve } from 'node:path';
import {
  type Bundle,
  type ContainerSpec,
  type FoundSettings,
  mergeSettings,
  nameFromPath,
  readSettings,
  refuseConflicts,
  type Settings,
  TreeError,
} from '@tsnspawn/core';
import { exitNow, explainsFailure, pickVersion, populate, runsAgain } from '@tsnspawn/runtime';
import { runAsOwnerOf } from './owner';

/** Where the tree of a machine is looked for when only its name is given (machinectl(1), FILES AND DIRECTORIES). */
export const MACHINES = [
  '/etc/machines',
  '/run/machines',
  '/var/lib/machines',
  '/usr/local/lib/machines',
  '/usr/lib/machines',
];
/** Where the tree of a new machine is made. */
const NEW_MACHINES = '/var/lib/machines';

type Place = Pick<Settings, 'machine' | 'directory' | 'image' | 'template'>;

/** The place of a machine found by its name where no other is given, and of versions the newest. */
export function withPlace<T extends Place>(said: T): T {
  const { directory, image } = { ...said, ...placeByName(said) };
  return {
    ...said,
    ...(directory === undefined ? {} : { directory: pickVersion(directory) }),
    ...(image === undefined ? {} : { image: pickVersion(image) }),
  };
}

function placeByName({ machine, directory, image, template }: Place): Pick<Settings, 'directory' | 'image'> {
  if (machine === undefined || directory !== undefined || image !== undefined) return {};
  if (template !== undefined) return { directory: join(NEW_MACHINES, machine) };
  for (const place of MACHINES) {
    const path = join(place, machine);
    for (const tree of [path, `${path}.v`]) if (existsSync(tree)) return { directory: tree };
    for (const file of [`${path}.raw`, `${path}.raw.v`]) if (existsSync(file)) return { image: file };
  }
  throw new TreeError(`there is no tree for the machine ${machine}`, {
    option: '--machine',
    hint: `looked in ${MACHINES.join(', ')}; name another place with --directory`,
  });
}

/**
 * The command line with what the settings file of the machine adds to it, or with --settings=override puts in its place.
 *
 * @param find the settings file of the machine of this name, whose tree or image is at this absolute path
 * @param warn hears of what does not count in the file
 */
export function withSettingsFile(
  given: Settings,
  find: (name: string, place: string) => FoundSettings | undefined,
  warn: (text: string) => void,
): Settings {
  const said = withPlace(given);
  if (said.settings === false) return said;
  const { name, place } = identityOf(said);
  const found = name === '' ? undefined : find(name, place);
  if (found === undefined) return said;
  const { settings, warnings } = readSettings(said.settings === 'trusted' ? { ...found, trusted: true } : found);
  for (const warning of warnings) warn(warning);
  return said.settings === 'override' ? mergeSettings(settings, said) : mergeSettings(said, settings);
}

/** The command line over what an OCI bundle says; a settings file is not looked for. */
export function withBundle(said: Settings, directory: string, warn: (text: string) => void): Settings {
  // resolved beside this bundle when it is run: the launch of a tree does not read it
  const oci = require('./oci.cjs') as { openBundle: (directory: string) => Bundle };
  const { settings, warnings } = oci.openBundle(directory);
  for (const warning of warnings) warn(warning);
  return withPlace(mergeSettings(said, settings));
}

/** The name by which the machine's settings are filed, and where its tree or image is, absolute. */
export function identityOf({ machine, directory, image }: Place): { readonly name: string; readonly place: string } {
  const given = image ?? directory ?? '.';
  // what comes before `..` may be a link: only the kernel knows where that leads
  const place = given.split('/').includes('..') && existsSync(given) ? realpathSync(given) : resolve(given);
  return { name: machine ?? nameFromPath(image === undefined ? place : place.replace(/\.raw$/, '')), place };
}

/**
 * The spec with the tree in its place: made from the template where it does not exist. When it is only to be looked at, the
 * template stands in for it.
 *
 * @param tryOut plans the launch of the template in the tree's stead: what cannot be started is not worth a copy
 * @param say hears what was done
 */
export async function withTree(
  spec: ContainerSpec,
  onlyLook: boolean,
  tryOut: (standIn: ContainerSpec) => void,
  say: (line: string) => void,
): Promise<ContainerSpec> {
  const { template, ...rest } = spec;
  if (template === undefined) return spec;
  refuseConflicts(spec);
  const { directory = '.' } = withPlace(spec);
  if (existsSync(directory)) {
    if (!explainsFailure()) say(`Directory ${directory} already exists, not populating from template ${template}.`);
    return { ...rest, directory };
  }
  const standIn = { ...rest, directory: pickVersion(template), machine: spec.machine ?? nameFromPath(directory) };
  if (!existsSync(standIn.directory)) {
    throw new TreeError(`there is no template ${template}`, { path: template, option: '--template' });
  }
  // the second run of an ordinary user is there for the copy alone, whose owners only root of a user namespace can set
  const again = runsAgain();
  if (!again) tryOut(standIn);
  if (onlyLook) return standIn;
  const status = runAsOwnerOf(standIn.directory);
  if (status !== undefined && status !== 0) exitNow(status);
  if (status === undefined && (await populate(standIn.directory, directory)))
    say(`Populated ${directory} from template ${template}.`);
  if (again) exitNow(0);
  return { ...rest, directory };
}
