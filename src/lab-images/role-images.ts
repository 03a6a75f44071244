/*
 * The setting role-images: which image is preferred for a role. Settings are single values, so that each is one word of a command line, of the
 * environment and of a file; this one is a list of `role=image`.
 */

/** The images by their roles; the setting's schema has checked its form. */
export function preferredImages(text: string | undefined): Record<string, string> {
  const pairs = (text ?? '').split(',').flatMap((pair): [string, string][] => {
    const [role = '', image = ''] = pair.split('=').map((part) => part.trim());
    return role === '' || image === '' ? [] : [[role, image]];
  });
  return Object.fromEntries(pairs);
}
