// Values of a JSON document, each with its place: a wrong one is refused with words that say where it stands. Nothing is read but
// own properties, so that a document cannot speak of what every object of JavaScript inherits.

import { UsageError } from '../errors';
import { Refusal } from '../values';

export class Value {
  constructor(
    readonly json: unknown,
    /** `process.args[0]`; empty for the document */
    readonly place: string,
    /** the file, for messages */
    readonly file: string,
  ) {}

  /** @throws UsageError with the place and the reason */
  fail(reason: string, hint?: string): never {
    const place = this.place === '' ? '' : `${this.place}: `;
    throw new UsageError(`${this.file}: ${place}${reason}`, {
      path: this.file,
      ...(hint === undefined ? {} : { hint }),
    });
  }

  /** What a parser of option values makes of it. */
  parsed<T>(parse: (text: string) => T, text: string = this.text()): T {
    try {
      return parse(text);
    } catch (error) {
      if (error instanceof Refusal) return this.fail(`bad value '${text}': ${error.reason}`, error.hint);
      throw error;
    }
  }

  /** A string; one with a zero byte would be cut by the kernel. */
  text(): string {
    if (typeof this.json !== 'string') return this.fail(`is ${kindOf(this.json)}, not a string`);
    if (this.json.includes('\0')) return this.fail('contains a zero byte');
    return this.json;
  }

  oneOf<T extends string>(...allowed: readonly T[]): T {
    const text = this.text();
    return allowed.find((word) => word === text) ?? this.fail(`is '${text}', not one of ${allowed.join(', ')}`);
  }

  boolean(): boolean {
    return typeof this.json === 'boolean' ? this.json : this.fail(`is ${kindOf(this.json)}, not true or false`);
  }

  /** A whole number within bounds, which JSON can write without loss. */
  integer(least: number, most: number): number {
    const { json } = this;
    if (typeof json !== 'number') return this.fail(`is ${kindOf(json)}, not a number`);
    if (!Number.isInteger(json) || json < least || json > most)
      return this.fail(`is ${json}, not a whole number from ${least} to ${most}`);
    return json;
  }

  list(): Value[] {
    if (!Array.isArray(this.json)) return this.fail(`is ${kindOf(this.json)}, not a list`);
    return this.json.map((item, index) => new Value(item, `${this.place}[${index}]`, this.file));
  }

  /** All properties of an object whose names are the document's own. */
  entries(): (readonly [name: string, value: Value])[] {
    return Object.entries(this.#object()).map(([name, json]) => [name, this.#below(name, json)]);
  }

  /** The properties of an object by name. @throws UsageError for a name that is not among these */
  fields<Name extends string>(...names: readonly Name[]): { readonly [K in Name]?: Value } {
    const object = this.#object();
    const fields: { [name: string]: Value } = Object.create(null);
    for (const [name, json] of Object.entries(object)) {
      if (!(names as readonly string[]).includes(name)) this.#below(name, json).fail('is not known here');
      // a property that is null is one that is not there
      if (json !== null) fields[name] = this.#below(name, json);
    }
    return fields as { readonly [K in Name]?: Value };
  }

  #object(): object {
    const { json } = this;
    return typeof json === 'object' && json !== null && !Array.isArray(json)
      ? json
      : this.fail(`is ${kindOf(json)}, not an object`);
  }

  #below(name: string, json: unknown): Value {
    const word = /^[A-Za-z_]\w*$/.test(name) ? name : JSON.stringify(name);
    return new Value(json, this.place === '' ? word : `${this.place}.${word}`, this.file);
  }
}

/** @throws UsageError for a property that is not there */
export function required(value: Value | undefined, parent: Value, name: string): Value {
  return value ?? parent.fail(`${name} is missing`);
}

/** Refuses a property that asks for something; what says "nothing" may stand there. */
export function unsupported(value: Value | undefined, hint?: string): void {
  if (value === undefined) return;
  const { json } = value;
  const nothing =
    json === false ||
    json === '' ||
    json === 0 ||
    (typeof json === 'object' && json !== null && Object.keys(json).length === 0);
  if (!nothing) value.fail('is not supported', hint);
}

function kindOf(json: unknown): string {
  if (json === null) return 'null';
  if (Array.isArray(json)) return 'a list';
  switch (typeof json) {
    case 'string':
      return `'${json.length > 40 ? `${json.slice(0, 40)}…` : json}'`;
    case 'object':
      return 'an object';
    default:
      return String(json);
  }
}
