// The few marks of man(7) that a page is made of. Text comes in with `code` in backticks and variable parts between asterisks.

/** Text as roff takes it: its own signs are escaped, a hyphen is a minus where it could be typed. */
function escaped(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll("'", '\\(aq')
    .replaceAll('^', '\\(ha')
    .replaceAll('~', '\\(ti');
}

/** A line of running text. */
export function prose(text: string): string {
  const marked = text
    .replace(/\s+/g, ' ')
    .trim()
    .split(/(`[^`]+`|\*[^*\s]+\*)/);
  const line = marked
    .map((part) => {
      if (part.startsWith('`')) return `\\fB${escaped(part.slice(1, -1))}\\fR`;
      if (/^\*[^*\s]+\*$/.test(part)) return `\\fI${escaped(part.slice(1, -1))}\\fR`;
      return part.replaceAll('\\', '\\e').replaceAll("'", '\\(aq').replaceAll('^', '\\(ha').replaceAll('~', '\\(ti');
    })
    .join('');
  return sentences(guarded(line));
}

/** A line that begins with a point or a quote would be a request. */
function guarded(line: string): string {
  return /^[.']/.test(line) ? `\\&${line}` : line;
}

/** Each sentence on a line of its own, so that roff sets the space behind it. */
function sentences(line: string): string {
  return line.replace(/([.!?]) (?=[A-Z])/g, '$1\n');
}

/** Words in bold, as they are typed. */
export function bold(text: string): string {
  return `\\fB${escaped(text)}\\fR`;
}

export function italic(text: string): string {
  return `\\fI${escaped(text)}\\fR`;
}

export interface Page {
  readonly name: string;
  /** one line for the index of manual pages */
  readonly summary: string;
  readonly sections: readonly Section[];
}

export interface Section {
  readonly title: string;
  /** roff, made by the functions here */
  readonly body: readonly string[];
}

/** Paragraphs of running text. */
export function text(...paragraphs: readonly string[]): string[] {
  return paragraphs.flatMap((paragraph) => ['.PP', prose(paragraph)]);
}

/** A heading within a section. */
export function subsection(title: string): string {
  return `.SS ${title}`;
}

/** A term, in roff, and the paragraphs about it. */
export function entry(term: string, ...paragraphs: readonly string[]): string[] {
  const [first = '', ...others] = paragraphs.map(prose);
  return ['.TP', guarded(term), first, ...others.flatMap((paragraph) => ['.IP', paragraph])];
}

/** Lines as they are typed, with an explanation before them. */
export function example(about: string, ...lines: readonly string[]): string[] {
  return ['.PP', prose(about), '.PP', '.RS 4', '.EX', ...lines.map((line) => guarded(escaped(line))), '.EE', '.RE'];
}

/**
 * The page as man(1) reads it.
 * @param version of the program, for the foot of the page
 */
export function renderPage(page: Page, version: string): string {
  const lines = [
    `.TH ${page.name.toUpperCase().replaceAll('-', '\\-')} 1 "" "tsnspawn ${version}" "tsnspawn"`,
    // a word that could be typed is not broken, and no line is stretched
    '.nh',
    '.ad l',
    '.SH NAME',
    `${page.name.replaceAll('-', '\\-')} \\- ${prose(page.summary)}`,
    ...page.sections.flatMap(({ title, body }) => [`.SH ${title}`, ...body]),
  ];
  return `${lines.join('\n')}\n`;
}
