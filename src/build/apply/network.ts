import type { GuestRoot } from '../../workspace/guest-root.ts';
import type { Place } from '../../workspace/place.ts';

/** Where the image's own resolv.conf, whatever it is, waits for the end of the step. */
const SAVED = '/etc/.resolv.conf.ingot';
const OURS = '/tmp/ingot-resolv.conf';

/** A link that leads nowhere is what most images have: it is put back as it was. */
const PUT = `rm -f ${SAVED}; if [ -e /etc/resolv.conf ] || [ -L /etc/resolv.conf ]; then mv /etc/resolv.conf ${SAVED}; fi; cp ${OURS} /etc/resolv.conf; chmod 644 /etc/resolv.conf`;
/** What the step itself made of the file, removing it included, is what it wants in the image. */
const TAKE_BACK = `if [ ! -L /etc/resolv.conf ] && cmp -s ${OURS} /etc/resolv.conf; then rm -f /etc/resolv.conf; if [ -e ${SAVED} ] || [ -L ${SAVED} ]; then mv ${SAVED} /etc/resolv.conf; fi; else rm -f ${SAVED}; fi`;

/** Runs work that has the network, with a resolv.conf that fits the place; the image's own one comes back, unless the work changed it. */
export async function withNetwork(place: Place, root: GuestRoot, work: () => Promise<unknown>): Promise<void> {
  const readOnly = { [OURS]: await place.network() };
  await root.run(['sh', '-ec', PUT], { readOnly });
  try {
    await work();
  } finally {
    await root.run(['sh', '-ec', TAKE_BACK], { readOnly });
  }
}
