// POSIX paths as text. The core may not load node:path, and the rules here are the strict ones of option values: nothing is
// looked up, so `..` (whose meaning depends on links) is refused by the callers rather than folded away.

/** True for a path that starts at the root. */
export function isAbsolute(path: string): boolean {
  return path.startsWith('/');
}

/** The components of a path without the empty and `.` ones. */
export function components(path: string): string[] {
  return path.split('/').filter((part) => part !== '' && part !== '.');
}

/** True when a component is `..`: what it means is only known after links are resolved. */
export function hasDotDot(path: string): boolean {
  return path.split('/').includes('..');
}

/** `/a//b/./c/` → `/a/b/c`; the path must be absolute. `..` is left as it is. */
export function simplify(path: string): string {
  return `/${components(path).join('/')}`;
}

/** True when the text is already in its simplest form: absolute, no empty, `.` or `..` component, no slash at the end. */
export function isNormalized(path: string): boolean {
  return isAbsolute(path) && !hasDotDot(path) && (path === simplify(path) || path === `${simplify(path)}/`);
}

/** `path` under `base`, unless it is absolute itself. */
export function absolute(path: string, base: string): string {
  return isAbsolute(path) ? path : `${base === '/' ? '' : base}/${path}`;
}

/** Last component, or the empty string for /. */
export function lastComponent(path: string): string {
  return components(path).at(-1) ?? '';
}

/** True when `path` is `root` or lies below it; both absolute and simplified. */
export function isUnder(path: string, root: string): boolean {
  return root === '/' || path === root || path.startsWith(`${root}/`);
}

/** The directory that a path lies in: `/a/b` → `/a`, `a` → `.`. */
export function parentOf(path: string): string {
  const parts = components(path).slice(0, -1);
  return isAbsolute(path) ? `/${parts.join('/')}` : parts.join('/') || '.';
}
