// The answers of the doctor: a line each for people, with what is lost and what mends it below; one object for programs.

import type { CheckResult, Diagnosis, TreeReport } from '@tsnspawn/runtime';

/** Width where there is no terminal. */
const DEFAULT_COLUMNS = 100;
const NARROWEST = 60;
/** Of the column with the answers. */
const ANSWER = 8;
/** Of the column with what was asked. */
const TITLE = 18;
const INDENT = ' '.repeat(ANSWER + TITLE);

/** All of it as text. */
export function renderDiagnosis(diagnosis: Diagnosis, columns = DEFAULT_COLUMNS): string {
  const width = Math.max(columns, NARROWEST);
  const lines = [
    ...wrapped('caller'.padEnd(ANSWER + TITLE), callerInWords(diagnosis.caller), width),
    '',
    ...diagnosis.checks.filter(({ untried }) => untried !== true).flatMap((check) => rendered(check, width)),
    ...renderedUntried(diagnosis.checks, width),
    ...(diagnosis.tree === undefined ? [] : ['', ...renderedTree(diagnosis.tree, width)]),
    '',
    ...wrapped('', `A launch now: ${diagnosis.summary}`, width),
    ...(diagnosis.left === undefined ? [] : wrapped('', `What is left: ${diagnosis.left}`, width)),
  ];
  return `${lines.join('\n')}\n`;
}

/** One object whose keys stay the same from one version to the next. */
export function diagnosisAsJson({ caller, checks, mode, ids, summary, missing, left, tree }: Diagnosis): string {
  const byKey = Object.fromEntries(checks.map(({ key, ...rest }) => [key, rest]));
  return `${JSON.stringify({ mode, ids, summary, missing, ...(left === undefined ? {} : { left }), caller, checks: byKey, ...(tree === undefined ? {} : { tree }) }, null, 2)}\n`;
}

function callerInWords(caller: Diagnosis['caller']): string {
  const { uid, gid, name, capabilities, container } = caller;
  const has =
    capabilities.length === 0
      ? 'no capabilities'
      : capabilities.length > 8
        ? `${capabilities.length} capabilities`
        : `capabilities ${capabilities.join(' ')}`;
  return [
    `${name ?? 'a user without a name'} (${uid}:${gid})`,
    has,
    caller.initialUserNamespace ? 'in the user namespace of the host' : 'in a user namespace of its own',
    container === null ? 'in no container' : `in ${container}`,
    ...(caller.chrooted ? ['in a chroot'] : []),
    ...(caller.noNewPrivileges ? ['with no_new_privs'] : []),
    ...(caller.filtered ? ['with a seccomp filter'] : []),
  ].join(', ');
}

function rendered({ key, answer, detail, cost, mend }: CheckResult, width: number): string[] {
  return [
    ...wrapped(`${answer.padEnd(ANSWER)}${title(key).padEnd(TITLE)}`, detail, width),
    ...(cost === undefined ? [] : wrapped(`${INDENT}lost: `, cost, width)),
    ...mending(mend),
  ];
}

/** What was not reached, in one entry. */
function renderedUntried(checks: readonly CheckResult[], width: number): string[] {
  const names = checks.filter(({ untried }) => untried === true).map(({ key }) => title(key));
  return names.length === 0
    ? []
    : wrapped(`${'-'.padEnd(ANSWER)}${'not reached'.padEnd(TITLE)}`, names.join(', '), width);
}

function title(key: string): string {
  return key.replaceAll('-', ' ');
}

/** A command stays on its line, to be copied. */
function mending(commands: readonly string[] = []): string[] {
  return commands.map((command) => `${INDENT}mend: ${command}`);
}

function renderedTree({ path, answer, detail, owner, fileSystem, mend }: TreeReport, width: number): string[] {
  const about = `${path}, of ${owner.uid}:${owner.gid}, on ${fileSystem}: ${detail}`;
  return [...wrapped(`${answer.padEnd(ANSWER)}${'tree'.padEnd(TITLE)}`, about, width), ...mending(mend)];
}

/** Text behind a head, broken between words; further lines stand below its first word. */
function wrapped(head: string, text: string, width: number): string[] {
  const lines: string[] = [];
  let line = head;
  for (const word of text.split(' ')) {
    const longer = line.trim() === head.trim() ? `${line}${word}` : `${line} ${word}`;
    if (longer.length > width && line.length > head.length) {
      lines.push(line);
      line = `${' '.repeat(head.length)}${word}`;
    } else line = longer;
  }
  return [...lines, line];
}
