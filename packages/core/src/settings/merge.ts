// Command line and settings file together: per class of options one of the two counts, never a mixture.

import type { Settings } from '../options';

type Key = keyof Settings;

/** Settings that are said together. Any other one is a class of its own, and so is each resource limit. */
const CLASSES: readonly (readonly Key[])[] = [
  ['boot', 'asPid2', 'parameters'],
  ['directory', 'image', 'template'],
  ['user', 'groups'],
  ['systemCallFilter', 'seccompProfile'],
  ['capability', 'dropCapability', 'ambientCapability'],
  ['privateUsers', 'ownership'],
  [
    'privateNetwork',
    'networkVeth',
    'networkVethExtra',
    'networkBridge',
    'networkZone',
    'networkMacvlan',
    'networkIpvlan',
    'networkInterface',
    'networkNamespacePath',
  ],
];

/**
 * What counts of two sources of settings: all of the first, and of the second what no setting of the same class is said of in
 * the first. systemd-nspawn's SettingsMask (nspawn-settings.h) is the model.
 */
export function mergeSettings(first: Settings, second: Settings): Settings {
  const merged: Settings = { ...first };
  const target = merged as Record<string, unknown>;
  for (const key of Object.keys(second) as Key[]) {
    const said = (CLASSES.find((members) => members.includes(key)) ?? [key]).some(
      (member) => first[member] !== undefined,
    );
    if (key === 'rlimit') merged.rlimit = mergeLimits(first.rlimit ?? [], second.rlimit ?? []);
    else if (!said) target[key] = second[key];
  }
  return merged;
}

type Limits = NonNullable<Settings['rlimit']>;

function mergeLimits(first: Limits, second: Limits): Limits {
  return [...second.filter(({ name }) => !first.some((limit) => limit.name === name)), ...first];
}
