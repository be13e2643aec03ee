// The syntax that systemd's configuration files share (systemd.syntax(7)): sections, assignments, comments, continued lines,
// and the quoting of words in a list. What a section or key means is not known here.

import { UsageError } from '../errors';

/** One assignment. */
export interface Assignment {
  readonly section: string;
  readonly key: string;
  /** without the blanks around it; continued lines joined by a blank */
  readonly value: string;
  /** the first line of it, from 1 */
  readonly line: number;
}

export interface SettingsFile {
  readonly assignments: readonly Assignment[];
  /** lines that say nothing, as `FILE:LINE: why` */
  readonly warnings: readonly string[];
}

/**
 * Reads the text of a file.
 *
 * @param file its name, for messages
 * @throws UsageError for a section header without its end: what follows would be taken for another section's
 */
export function readSyntax(text: string, file: string): SettingsFile {
  const assignments: Assignment[] = [];
  const warnings: string[] = [];
  let section: string | undefined;
  for (const { line, content } of logicalLines(text)) {
    const at = `${file}:${line}`;
    if (content.startsWith('[')) {
      if (!content.endsWith(']')) {
        throw new UsageError(`${at}: the section header ${content} does not end in ]`, { path: file });
      }
      section = content.slice(1, -1);
      continue;
    }
    const equals = content.indexOf('=');
    if (section === undefined) warnings.push(`${at}: ${firstWord(content)} stands before the first section: ignored`);
    else if (equals < 0) warnings.push(`${at}: ${firstWord(content)} is no assignment, it has no =: ignored`);
    else if (equals === 0) warnings.push(`${at}: an assignment without a key: ignored`);
    else {
      const key = content.slice(0, equals).trimEnd();
      assignments.push({ section, key, value: content.slice(equals + 1).trim(), line });
    }
  }
  return { assignments, warnings };
}

/** Lines that say something, continued ones joined. A comment in the midst of them is left out, as systemd does. */
function* logicalLines(text: string): Generator<{ line: number; content: string }> {
  let started = 0;
  let joined = '';
  const physical = text.replace(/^\ufeff/, '').split(/\r\n|\n|\r|\0/);
  for (const [index, raw] of physical.entries()) {
    if (/^\s*[#;]/.test(raw)) continue;
    if (started === 0) started = index + 1;
    const backslashes = /\\*$/.exec(raw)?.[0].length ?? 0;
    if (backslashes % 2 === 1 && index < physical.length - 1) {
      joined += `${raw.slice(0, -1)} `;
      continue;
    }
    const content = (joined + raw).trim();
    if (content !== '') yield { line: started, content };
    started = 0;
    joined = '';
  }
  if (joined.trim() !== '') yield { line: started, content: joined.trim() };
}

function firstWord(content: string): string {
  return content.split(/[\s=]/, 1)[0] || content;
}

/**
 * Words between blanks. Single and double quotes keep blanks together and may begin within a word; a backslash is an ordinary
 * character (extract_first_word() of systemd with EXTRACT_UNQUOTE | EXTRACT_RETAIN_ESCAPE).
 *
 * @returns undefined when a quote is not closed
 */
export function splitWords(text: string): string[] | undefined {
  const words: string[] = [];
  let word: string | undefined;
  let quote = '';
  for (const char of text) {
    if (quote !== '') {
      if (char === quote) quote = '';
      else word += char;
    } else if (char === '"' || char === "'") {
      quote = char;
      word ??= '';
    } else if (/\s/.test(char)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else {
      word = (word ?? '') + char;
    }
  }
  if (quote !== '') return undefined;
  if (word !== undefined) words.push(word);
  return words;
}
