import sax from 'sax';
import { IngotError } from '../base/errors.ts';

/*
 * The descriptor of a package that somebody else has made (DMTF DSP0243). The parser knows no entities but those of XML itself and fetches nothing; a document type,
 * in which others are declared, is refused before they could be used.
 */

const NAMESPACES = ['http://schemas.dmtf.org/ovf/envelope/1', 'http://schemas.dmtf.org/ovf/envelope/2'];
export const OVF_LARGEST = 2 ** 20;

export interface OvfDisk {
  /** Name of the file in the package. */
  readonly file: string;
}

export function ovaInvalid(why: string, hint?: string): IngotError {
  return new IngotError('verification', 'ova-invalid', `This is not a package that ingot accepts: ${why}`, {
    hint: hint ?? 'Get it again, and compare its checksum with that of its maker.',
  });
}

type Attributes = Readonly<Record<string, string>>;

/** The one disk that a descriptor names, of a file in the package; throws `ova-invalid`, on whatever input. */
export function parseOvf(text: string): OvfDisk {
  if (text.length > OVF_LARGEST) throw ovaInvalid('its descriptor is too large');
  const { files, disks } = readElements(text);
  const filled = disks.filter((disk) => disk['fileRef'] !== undefined);
  const [disk] = filled;
  if (disk === undefined) throw ovaInvalid('its descriptor names no disk with content');
  if (filled.length > 1) throw ovaInvalid(`it holds ${filled.length} disks`, 'Take the one with the system out of it (tar -xf), and import that.');
  if (disk['parentRef'] !== undefined) throw ovaInvalid('its disk stands on another one');
  const file = files.find(({ id }) => id === disk['fileRef']);
  const href = file?.['href'];
  if (file === undefined || href === undefined) throw ovaInvalid('its disk has no file');
  if (/^[a-z][a-z0-9+.-]*:/i.test(href) || href.includes('/') || href.includes('\\') || href === '..') {
    throw ovaInvalid(`the file of its disk lies outside: ${JSON.stringify(href)}`, 'Nothing is fetched. Packages that hold their disk are taken.');
  }
  if ((file['compression'] ?? '') !== '' && file['compression'] !== 'identity')
    throw ovaInvalid(`its disk is packed (${file['compression']})`, 'Unpack it and import the disk.');
  if (file['chunkSize'] !== undefined) throw ovaInvalid('its disk is cut into several files', 'Join them and import the disk.');
  return { file: href };
}

function readElements(text: string): { readonly files: readonly Attributes[]; readonly disks: readonly Attributes[] } {
  const files: Attributes[] = [];
  const disks: Attributes[] = [];
  const reader = sax.parser(true, { xmlns: true });
  let root: string | undefined;
  const stop = (error: Error): never => {
    throw error;
  };
  reader.onerror = (error) => stop(ovaInvalid(`its descriptor is no XML (${error.message.split('\n')[0] ?? ''})`));
  reader.ondoctype = () => stop(ovaInvalid('its descriptor has a document type, which could bring in other files'));
  reader.onopentag = (tag) => {
    if (!('local' in tag)) return;
    root ??= tag.local;
    if (!NAMESPACES.includes(tag.uri) || (tag.local !== 'File' && tag.local !== 'Disk')) return;
    const attributes: Record<string, string> = {};
    for (const attribute of Object.values(tag.attributes)) {
      // Unqualified ones are common, and mean the same.
      if (attribute.uri === '' || NAMESPACES.includes(attribute.uri)) attributes[attribute.local] = attribute.value;
    }
    (tag.local === 'File' ? files : disks).push(attributes);
  };
  reader.write(text).close();
  if (root !== 'Envelope') throw ovaInvalid('its descriptor is no OVF envelope');
  return { files, disks };
}
