// Machine name and machine id.

import { UsageError } from '../errors';
import type { TreeFacts } from '../facts';
import { lastComponent } from '../paths';
import type { ContainerSpec } from '../spec';
import { cleanHostname } from '../values';

/** The last component of a path without the characters that a name may not have; empty where there is none, as for `..`. */
export function nameFromPath(path: string): string {
  const last = lastComponent(path);
  return last === '..' ? '' : cleanHostname(last);
}

/** The name asked for, or that of the path as it was given: a link to a tree names the machine, not what it leads to. */
export function machineName(spec: ContainerSpec, tree: TreeFacts): string {
  if (spec.machine !== undefined) return spec.machine;
  const given = spec.directory ?? spec.image?.replace(/\.raw$/, '') ?? '';
  const name = nameFromPath(given) || nameFromPath(tree.hostname ?? tree.path.replace(/\.raw$/, ''));
  if (name !== '') return name;
  throw new UsageError(`no machine name can be made from ${tree.path}`, {
    path: tree.path,
    hint: 'give one with --machine=NAME',
  });
}

/** The tree's machine id where it has one, else the one asked for; undefined: a random one for this run. */
export function machineId(spec: ContainerSpec, tree: TreeFacts): string | undefined {
  return tree.machineId ?? spec.uuid;
}

/** 32 hex digits as a dashed uuid (RFC 9562); anything with dashes is given back as it is. */
export function dashed(uuid: string): string {
  return uuid.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
