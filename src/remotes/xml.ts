const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

/** What stands within each element of a name that holds no element of the same name; pure. For the flat answers of S3, which are no place for a parser of all XML. */
export function within(xml: string, name: string): string[] {
  const [open, close] = [new RegExp(`<${name}(?:\\s[^>]*)?>`, 'g'), `</${name}>`];
  const found: string[] = [];
  for (let match = open.exec(xml); match !== null; match = open.exec(xml)) {
    const end = xml.indexOf(close, open.lastIndex);
    if (end === -1) break;
    found.push(xml.slice(open.lastIndex, end));
    open.lastIndex = end + close.length;
  }
  return found;
}

/** The texts of each element of a name, with entities replaced. */
export function valuesIn(xml: string, name: string): string[] {
  return within(xml, name).map((text) =>
    text.replaceAll(/&(?:#(\d+)|#x([0-9a-fA-F]+)|(\w+));/g, (whole, decimal?: string, hex?: string, word?: string) => {
      if (decimal !== undefined || hex !== undefined)
        return String.fromCodePoint(Math.min(decimal === undefined ? Number.parseInt(hex ?? '', 16) : Number(decimal), 0x10ffff));
      return ENTITIES[word ?? ''] ?? whole;
    }),
  );
}
