// Which packages a tree is made of. A greedy resolver, as APT's is at heart: take the first alternative that can be had,
// never come back on a choice. Two rounds, because the reference tools make two and the choice between alternatives
// depends on it: first the essential packages with all they need, then everything else with the first round in place.
import { BootstrapError } from '../errors';
import type { Package, PackageUniverse } from './packages';
import { type Alternatives, type Relation, relationAccepts, relationText } from './relation';
import { versionSatisfies } from './version';

export interface Resolution {
  /** The essential packages and their closure, dependencies first. */
  readonly essential: readonly Package[];
  /** All else, dependencies first. */
  readonly others: readonly Package[];
  /** Names of the packages that came in only because another one needs them. */
  readonly automatic: ReadonlySet<string>;
}

/** Resolve a request: the essential and required packages (when `base`), and those included by name. */
export function resolve(universe: PackageUniverse, include: readonly string[], base = true): Resolution {
  const resolver = new Resolver(universe);
  const essential = base ? resolver.round(universe.essential().filter((one) => one.essential)) : [];
  const named = include.map((name) => resolver.named(name));
  const required = base ? universe.required().filter((one) => !one.essential) : [];
  const asked = new Set([...essential, ...named, ...required].map((one) => one.name));
  const others = resolver.round([...named, ...required]);
  resolver.checkConflicts();
  return { essential, others, automatic: new Set(others.map((one) => one.name).filter((name) => !asked.has(name))) };
}

class Resolver {
  readonly #universe: PackageUniverse;
  readonly #chosen = new Map<string, Package>();
  /** Who brought a package in, for messages. */
  readonly #reason = new Map<string, string>();

  constructor(universe: PackageUniverse) {
    this.#universe = universe;
  }

  /** The package that a user named; a virtual name is fine while only one package provides it. */
  named(name: string): Package {
    const [plain, architecture] = name.split(':') as [string, string | undefined];
    const wrongArchitecture =
      architecture !== undefined && architecture !== this.#universe.architecture && architecture !== 'all';
    const candidate = wrongArchitecture ? undefined : this.#universe.candidate(plain);
    if (candidate !== undefined) return candidate;
    const providers = wrongArchitecture ? [] : [...new Set(this.#universe.providers(plain).map((one) => one.package))];
    if (providers.length === 1) return providers[0] as Package;
    if (providers.length > 1) {
      throw new BootstrapError('DEPENDENCY', `cannot include ${name}: several packages provide it`, {
        hint: `name one of them: ${providers
          .slice(0, 5)
          .map((one) => one.name)
          .join(', ')}`,
      });
    }
    const similar = this.#universe.similar(plain);
    throw new BootstrapError('DEPENDENCY', `cannot include ${name}: the archive has no such package`, {
      hint: similar.length > 0 ? `packages with a similar name: ${similar.join(', ')}` : undefined,
    });
  }

  /** Choose these packages and all they need; returns what this round added, dependencies first. */
  round(roots: readonly Package[]): Package[] {
    const before = new Set(this.#chosen.keys());
    // All roots count as chosen before any dependency is looked at: an alternative among them is satisfied by it.
    for (const root of roots) this.#chosen.set(root.name, root);
    for (const root of roots) this.#follow(root);
    return sortByDependency(
      [...this.#chosen.values()].filter((one) => !before.has(one.name)),
      this.#chosen,
    );
  }

  #choose(one: Package, reason: Package): void {
    if (this.#chosen.has(one.name)) return;
    this.#chosen.set(one.name, one);
    this.#reason.set(one.name, reason.name);
    this.#follow(one);
  }

  #follow(one: Package): void {
    for (const group of [...one.preDepends, ...one.depends]) {
      if (group.some((relation) => this.#satisfied(relation))) continue;
      const choice = this.#firstPossible(group, one);
      if (choice === undefined) {
        throw new BootstrapError(
          'DEPENDENCY',
          `cannot install ${one.name}: nothing satisfies its dependency ${group.map(relationText).join(' | ')}`,
          {
            hint: 'the archives may be out of step with each other; name a mirror that holds the whole suite',
          },
        );
      }
      this.#choose(choice, one);
    }
  }

  #satisfied(relation: Relation): boolean {
    for (const one of this.#targets(relation)) if (this.#chosen.get(one.name) === one) return true;
    return false;
  }

  /** Packages that would satisfy a relation, the best first: the package of that name, then the providers. */
  #targets(relation: Relation): Package[] {
    const targets: Package[] = [];
    const real = this.#universe.candidate(relation.name);
    if (
      real !== undefined &&
      relationAccepts(relation, real.version) &&
      qualifierFits(relation, real, this.#universe.architecture)
    ) {
      targets.push(real);
    }
    const providers: Package[] = [];
    for (const { package: one, version } of this.#universe.providers(relation.name)) {
      if (one === real || providers.includes(one)) continue;
      if (relation.operator !== undefined) {
        if (version === undefined || !versionSatisfies(version, relation.operator, relation.version as string))
          continue;
      }
      if (!qualifierFits(relation, one, this.#universe.architecture)) continue;
      providers.push(one);
    }
    return [...targets, ...providers.sort((a, b) => compareProviders(a, b))];
  }

  #firstPossible(group: Alternatives, dependent: Package): Package | undefined {
    for (const relation of group) {
      for (const one of this.#targets(relation)) {
        if (!this.#excluded(one, dependent)) return one;
      }
    }
    return undefined;
  }

  /** Whether something already chosen conflicts with a package, or it with something chosen. */
  #excluded(one: Package, dependent: Package): boolean {
    if (this.#chosen.has(one.name) && this.#chosen.get(one.name) !== one) return true;
    for (const group of [...one.conflicts, ...one.breaks]) {
      for (const relation of group) {
        for (const hit of this.#targets(relation)) {
          if (hit !== one && (hit === dependent || this.#chosen.get(hit.name) === hit)) return true;
        }
      }
    }
    for (const chosen of this.#chosen.values()) if (this.#refuses(chosen, one)) return true;
    return false;
  }

  #refuses(one: Package, other: Package): boolean {
    if (one === other) return false;
    for (const group of [...one.conflicts, ...one.breaks]) {
      for (const relation of group) if (this.#names(relation, other)) return true;
    }
    return false;
  }

  #names(relation: Relation, one: Package): boolean {
    if (one.name === relation.name) return relationAccepts(relation, one.version);
    for (const group of one.provides) {
      for (const provided of group) {
        if (provided.name !== relation.name) continue;
        if (relation.operator === undefined) return true;
        if (
          provided.version !== undefined &&
          versionSatisfies(provided.version, relation.operator, relation.version as string)
        )
          return true;
      }
    }
    return false;
  }

  /** The roots were taken without asking whether they get on with each other. */
  checkConflicts(): void {
    const all = [...this.#chosen.values()];
    for (const one of all) {
      if (one.conflicts.length === 0 && one.breaks.length === 0) continue;
      for (const other of all) {
        if (!this.#refuses(one, other)) continue;
        const why = [one, other].map((each) => this.#why(each.name)).filter((text) => text !== '');
        throw new BootstrapError(
          'DEPENDENCY',
          `cannot install ${one.name} together with ${other.name}: they conflict${why.length > 0 ? ` (${why.join('; ')})` : ''}`,
        );
      }
    }
  }

  #why(name: string): string {
    const by = this.#reason.get(name);
    return by === undefined ? '' : `${name} is needed by ${by}`;
  }
}

function qualifierFits(relation: Relation, one: Package, architecture: string): boolean {
  if (relation.qualifier === undefined || relation.qualifier === 'native') return true;
  if (relation.qualifier === 'any') return one.multiArch === 'allowed' || one.multiArch === 'foreign';
  return relation.qualifier === architecture;
}

const PRIORITIES: readonly string[] = ['required', 'important', 'standard', 'optional', 'extra'];

/** Among providers of a virtual package: essential ones, then by priority, then by name. */
function compareProviders(a: Package, b: Package): number {
  if (a.essential !== b.essential) return a.essential ? -1 : 1;
  const rank = (one: Package): number =>
    PRIORITIES.includes(one.priority) ? PRIORITIES.indexOf(one.priority) : PRIORITIES.length;
  return rank(a) - rank(b) || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0);
}

/** Dependencies before dependents as far as there are no cycles; pre-dependencies weigh in like the others. */
function sortByDependency(packages: readonly Package[], chosen: ReadonlyMap<string, Package>): Package[] {
  const wanted = new Set(packages);
  const providers = new Map<string, Package[]>();
  for (const one of chosen.values()) {
    for (const name of [one.name, ...one.provides.flat().map((provided) => provided.name)]) {
      providers.set(name, [...(providers.get(name) ?? []), one]);
    }
  }
  const sorted: Package[] = [];
  const seen = new Set<Package>();
  const visit = (one: Package): void => {
    if (seen.has(one)) return;
    seen.add(one);
    for (const group of [...one.preDepends, ...one.depends]) {
      for (const relation of group) for (const target of providers.get(relation.name) ?? []) visit(target);
    }
    if (wanted.has(one)) sorted.push(one);
  };
  for (const one of packages) visit(one);
  return sorted;
}
