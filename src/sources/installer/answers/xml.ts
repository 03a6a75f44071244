import sax from 'sax';

/** An element of XML: its attributes, and either elements or a text. */
export interface XmlElement {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: readonly XmlElement[];
  readonly text: string;
  /** Where it begins, from 1. */
  readonly line: number;
  readonly column: number;
}

/** What XML is not well-formed by, with its place. */
export class XmlError extends Error {
  readonly line: number;
  readonly column: number;
  constructor(message: string, line: number, column: number) {
    super(message);
    this.line = line;
    this.column = column;
  }
}

interface Open {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: XmlElement[];
  text: string;
  readonly line: number;
  readonly column: number;
}

/** The root of a document; throws {@link XmlError} at the first fault. Entities of the document's own are not known, so none is expanded. */
export function parseXml(text: string): XmlElement {
  const reader = sax.parser(true);
  const root: Open = { name: '', attributes: {}, children: [], text: '', line: 1, column: 1 };
  const stack: Open[] = [root];
  const top = (): Open => stack.at(-1) ?? root;
  const addText = (more: string): void => void (top().text += more);
  let begins: readonly [line: number, column: number] = [1, 1];
  Object.assign(reader, {
    onerror: (error: Error) => {
      throw new XmlError((error.message.split('\n')[0] ?? '').replace(/\.$/, ''), reader.line + 1, Math.max(1, reader.column));
    },
    onopentagstart: ({ name }: { name: string }) => (begins = [reader.line + 1, Math.max(1, reader.column - name.length - 1)]),
    onopentag: ({ name, attributes }: { name: string; attributes: Record<string, string> }) =>
      stack.push({ name, attributes, children: [], text: '', line: begins[0], column: begins[1] }),
    ontext: addText,
    oncdata: addText,
    onclosetag: () => {
      const closed = stack.pop();
      if (closed !== undefined) top().children.push(closed);
    },
  });
  reader.write(text).close();
  const [first] = root.children;
  if (first === undefined) throw new XmlError('It holds no element', 1, 1);
  return first;
}

/** The element at a path of names below one. */
export function xmlAt(element: XmlElement | undefined, ...path: readonly string[]): XmlElement | undefined {
  return path.reduce<XmlElement | undefined>((at, name) => at?.children.find((child) => child.name === name), element);
}

/** The text at a path; undefined where there is no such element. */
export function xmlText(element: XmlElement | undefined, ...path: readonly string[]): string | undefined {
  return xmlAt(element, ...path)?.text;
}

/** Lines of an element with a text, or with elements below it. */
export function xmlLines(name: string, content: string | readonly string[], type?: 'boolean' | 'integer' | 'list'): string[] {
  const open = `<${name}${type === undefined ? '' : ` config:type="${type}"`}>`;
  return typeof content === 'string' ? [`${open}${escapeXml(content)}</${name}>`] : [open, ...content.map((line) => indented(line)), `</${name}>`];
}

/** Lines of a text of several lines are as they are: blanks in them would be its own. */
function indented(line: string): string {
  return line
    .split('\n')
    .map((part, i) => (i === 0 ? `  ${part}` : part))
    .join('\n');
}

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

/** An element whose text is kept readable: a script. */
export function xmlScript(name: string, text: string): string[] {
  return [`<${name}><![CDATA[${text.replaceAll(']]>', ']]]]><![CDATA[>')}]]></${name}>`];
}
