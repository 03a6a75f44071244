import { IngotError } from '../../base/errors.ts';

/**
 * A property string of Proxmox VE: `virtio,bridge=vmbr0,tag=5`. The first value may stand without its name; what is undefined is left out, flags are
 * 1 and 0. Throws `property-invalid` for a value that would become several.
 */
export function propertyString(first: string | undefined, properties: Readonly<Record<string, string | number | boolean | undefined>>): string {
  const words = Object.entries(properties).flatMap(([name, value]) => {
    if (value === undefined) return [];
    const text = typeof value === 'boolean' ? (value ? '1' : '0') : String(value);
    return [`${name}=${checked(text, name)}`];
  });
  return [...(first === undefined ? [] : [checked(first, 'value')]), ...words].join(',');
}

/** The parts of a property string; what stands without a name has the name ''. */
export function parseProperties(text: string): Record<string, string> {
  return Object.fromEntries(
    text.split(',').map((word): [string, string] => {
      const at = word.indexOf('=');
      return at === -1 ? ['', word] : [word.slice(0, at), word.slice(at + 1)];
    }),
  );
}

function checked(text: string, name: string): string {
  if (text !== '' && !/[,\r\n\0]/.test(text)) return text;
  throw new IngotError('usage', 'property-invalid', `"${text}" cannot be the ${name} of a device`, {
    hint: 'It must not be empty, nor have commas or line ends.',
  });
}
