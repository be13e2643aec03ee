// Paragraphs of `Field: value` lines, the form of Release files, control files and *.sources. Field names are kept as
// written but found whatever their case. The large Packages indices have a reader of their own (packages.ts), which
// takes only what it needs.

/** One paragraph. Continuation lines stay in the value, joined by newlines, without their leading space. */
export class Paragraph {
  readonly #values = new Map<string, { readonly name: string; readonly value: string }>();

  /** The value of a field, or undefined. */
  get(field: string): string | undefined {
    return this.#values.get(field.toLowerCase())?.value;
  }

  set(field: string, value: string): void {
    this.#values.set(field.toLowerCase(), { name: field, value });
  }

  delete(field: string): void {
    this.#values.delete(field.toLowerCase());
  }

  /** The words of a field; an absent field has none. */
  words(field: string): string[] {
    return (this.get(field) ?? '').split(/\s+/).filter((word) => word !== '');
  }

  /** The lines of a field that lists one thing per line; the first line, beside the field's name, is usually empty. */
  lines(field: string): string[] {
    return (this.get(field) ?? '').split('\n').filter((line) => line.trim() !== '');
  }

  fields(): Array<readonly [name: string, value: string]> {
    return [...this.#values.values()].map(({ name, value }) => [name, value] as const);
  }

  /** Write the paragraph in the form in which it was read. */
  toString(): string {
    let text = '';
    for (const [name, value] of this.fields()) {
      const lines = value.split('\n').map((line, index) => (index === 0 ? line : ` ${line}`));
      text += `${name}:${lines[0] === '' ? '' : ' '}${lines.join('\n')}\n`;
    }
    return text;
  }
}

/** Parse paragraphs separated by empty lines; a line that is neither field nor continuation throws. Comments are dropped. */
export function parseDeb822(text: string): Paragraph[] {
  const paragraphs: Paragraph[] = [];
  let current: Paragraph | undefined;
  let field = '';
  let value = '';
  const finishField = (): void => {
    if (field !== '') current?.set(field, value);
    field = '';
  };
  const lines = text.split('\n');
  for (let number = 0; number < lines.length; number++) {
    const line = (lines[number] as string).replace(/\r$/, '');
    if (line.startsWith('#')) continue;
    if (line.trim() === '') {
      finishField();
      current = undefined;
      continue;
    }
    if (line.startsWith(' ') || line.startsWith('\t')) {
      if (field === '') throw new SyntaxError(`line ${number + 1} continues no field`);
      value += `\n${line.slice(1)}`;
      continue;
    }
    finishField();
    const colon = line.indexOf(':');
    if (colon <= 0 || /\s/.test(line.slice(0, colon))) throw new SyntaxError(`line ${number + 1} is not a field`);
    if (current === undefined) {
      current = new Paragraph();
      paragraphs.push(current);
    }
    field = line.slice(0, colon);
    if (current.get(field) !== undefined) throw new SyntaxError(`line ${number + 1} repeats the field ${field}`);
    value = line.slice(colon + 1).trim();
  }
  finishField();
  return paragraphs;
}
