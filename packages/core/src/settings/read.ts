// From the text of a .nspawn file (systemd.nspawn(5)) to settings. The values are read by the parsers of the options, so that a
// path of a file is checked as a path of the command line is (CVE-2026-40226).

import { UsageError } from '../errors';
import type { Settings } from '../options';
import { PARSERS, Refusal } from '../values';
import { type FileKey, fileKeys } from './keys';
import { type Assignment, readSyntax, splitWords } from './syntax';

/** A settings file that was found. */
export interface FoundSettings {
  /** where it is, for messages */
  readonly path: string;
  readonly text: string;
  /** an administrator wrote it: it did not come with the tree */
  readonly trusted: boolean;
}

/** What a file says, and what of it does not count. */
export interface ReadSettings {
  readonly settings: Settings;
  /** each names the file, the line and the key */
  readonly warnings: readonly string[];
}

/**
 * Reads a settings file. What is unknown, and what only a trusted file may say, is left out with a warning.
 *
 * @throws UsageError for a value that is refused: what it was to restrict would not be restricted
 */
export function readSettings(found: FoundSettings): ReadSettings {
  const { assignments, warnings: lines } = readSyntax(found.text, found.path);
  const warnings = [...lines];
  let said: Said[] = [];
  const unknownSections = new Set<string>();
  for (const assignment of assignments) {
    const { section, key, line } = assignment;
    const warn = (text: string): number => warnings.push(`${found.path}:${line}: ${text}`);
    // systemd leaves such names to other programs
    if (section.startsWith('X-') || key.startsWith('X-')) continue;
    if (!['Exec', 'Files', 'Network'].includes(section)) {
      if (!unknownSections.has(section)) warn(`unknown section [${section}]: ignored with all that is in it`);
      unknownSections.add(section);
      continue;
    }
    const fileKey = fileKeys().get(`${section}.${key}`);
    if (fileKey === undefined) {
      warn(`unknown key ${key}= in section [${section}]: ignored`);
      continue;
    }
    // an empty value takes back what the key has said so far
    if (assignment.value === '') said = said.filter((entry) => entry.fileKey !== fileKey);
    else if (!found.trusted && fileKey.row.file.trusted === true) warn(untrusted(key));
    else {
      const values = valuesOf(fileKey, assignment, found);
      if (!found.trusted && fileKey.row.file.trusted === 'additions' && values.some(isAddition)) warn(untrusted(key));
      else said.push(...values.map((value) => ({ fileKey, value })));
    }
  }
  const settings = assemble(said);
  if (settings.parameters !== undefined && settings.boot === undefined && settings.asPid2 === undefined) {
    warnings.push(`${found.path}: Parameters= has no effect without Boot= or ProcessTwo=`);
    delete settings.parameters;
  }
  return { settings, warnings };
}

function untrusted(key: string): string {
  return `${key}= is ignored: the file lies beside the tree and is not trusted (--settings=trusted)`;
}

/** A filter that allows more; only one that allows less may come with a tree. */
function isAddition(value: unknown): boolean {
  return (value as { readonly deny: boolean }).deny === false;
}

/** The values of an assignment: one, or for a list one of each word. */
function valuesOf({ row, prefix }: FileKey, assignment: Assignment, found: FoundSettings): unknown[] {
  const texts = row.file.list === true ? splitWords(assignment.value) : [assignment.value];
  if (texts === undefined) throw refused(assignment, found, new Refusal('a quote is not closed'));
  return texts.map((text) => {
    try {
      const value = PARSERS[row.value](prefix + text);
      // on the command line a bare name copies the caller's variable: not for a file to ask for
      if (row.key === 'setenv' && !text.includes('=')) throw new Refusal('not of the form NAME=VALUE');
      return value;
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      throw refused(assignment, found, error);
    }
  });
}

function refused({ key, value, line }: Assignment, { path }: FoundSettings, { reason, hint }: Refusal): UsageError {
  return new UsageError(`${path}:${line}: bad value '${value}' for ${key}=: ${reason}`, {
    path,
    ...(hint === undefined ? {} : { hint }),
  });
}

/** One value, in the order of the file: of two mounts at one place the later one is on top. */
interface Said {
  readonly fileKey: FileKey;
  readonly value: unknown;
}

function assemble(said: readonly Said[]): Settings {
  const settings: Settings = {};
  // as in getopt.ts: the table ties the kind of value to the key
  const target = settings as Record<string, unknown>;
  for (const { fileKey, value } of said) {
    const { key, many } = fileKey.row;
    target[key] = many === true ? [...((target[key] as unknown[] | undefined) ?? []), value] : value;
  }
  return settings;
}
