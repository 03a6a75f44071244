import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { hostProcesses, type RunningProcess } from '../../../src/base/process.ts';
import { leftAtVendor, tellLostRegistrations } from '../../../src/base/registrations.ts';
import { masker } from '../../../src/base/secrets.ts';
import { refuseRegistered, whileRegistered } from '../../../src/build/apply/registration.ts';
import { familyOf } from '../../../src/families/families.ts';
import type { Registration } from '../../../src/families/recipe.ts';
import type { Subscription } from '../../../src/template/template.ts';
import { hostUserland, missingPrograms, openFamilyRoot, type FamilyRoot } from '../../support/family-root.ts';
import { ORGANIZATION, SECRET, StandInVendor, vendorPrograms } from '../../support/stand-in-vendor.ts';
import { TestHome, traces, whyNot } from '../support.ts';

/*
 * Subscriptions in real workspaces: the family's commands register a root at a stand-in for Red Hat or SUSE, by stand-ins for their programs. No image of theirs
 * can be had without an account, so nothing here has met a real one.
 */

const reason = whyNot() ?? missingPrograms(['bwrap', 'python3']);

const WORKER = fileURLToPath(new URL('../../support/registered-root.ts', import.meta.url));

const RHEL: Subscription = { vendor: 'rhel', organization: ORGANIZATION, secret: 'vendor-key', repositories: [] };
const SLES: Subscription = { vendor: 'sles', secret: 'vendor-key', modules: [] };
const CASES = [
  { name: 'RHEL', family: 'rhel', subscription: RHEL, manager: 'dnf' },
  { name: 'SLES', family: 'suse', subscription: SLES, manager: 'zypper' },
] as const;

function registrationFor(family: 'rhel' | 'suse', subscription: Subscription): Registration {
  const made = familyOf(family).registration?.(subscription);
  if (made === undefined) throw new Error(`${family} registers nowhere`);
  return made;
}

describe.skipIf(reason !== undefined)(`subscriptions, with stand-ins for the vendors${reason === undefined ? '' : ` (skipped: ${reason})`}`, () => {
  let home: TestHome;
  let vendor: StandInVendor;
  let inside: FamilyRoot;
  let stop: AbortController;
  let secret = SECRET;
  const shown: string[] = [];
  const found: string[] = [];

  /** Registers, works, takes it back: as the layer does. */
  const during = async (registration: Registration, work: () => Promise<void>, kind: 'host' | 'vm' = 'host'): Promise<void> => {
    const context = await home.context();
    const masked: string[] = [];
    const apply = {
      context: {
        ...context,
        events: Object.assign(Object.create(context.events), { message: (_: string, text: string) => void shown.push(text) }),
        signal: stop.signal,
      },
      place: { kind },
      secrets: { value: () => Promise.resolve(secret) },
      mask: (values: readonly string[]) => void masked.push(...values),
      refuse: (values: readonly string[]) => void found.push(...values),
    };
    await whileRegistered(apply, inside.root, registration, work).catch((error: unknown) => {
      throw masker(masked).error(error);
    });
  };
  const install =
    (manager: string, name = 'hello') =>
    async (): Promise<void> => {
      await inside.root.run([manager, 'install', name], { network: true });
    };
  /** Nothing of it is in the root, at the vendor, or in the home. */
  const nothingLeft = async (registration: Registration): Promise<void> => {
    await inside.seal(familyOf('rhel').seal.layer);
    await inside.seal(familyOf('suse').seal.layer);
    await refuseRegistered(inside.root, registration, [...found, SECRET]);
    expect([...vendor.systems]).toEqual([]);
    const { host, home: folders } = await home.context();
    expect(await host.files.list(folders.registrations)).toEqual([]);
    expect(await inside.shell('cat /etc/rhsm/rhsm.conf; ls -A /etc/rhsm; ls -A /etc/pki/trust/anchors 2>/dev/null || true')).toMatch(
      /^\[server\]\nhostname = subscription\.rhsm\.redhat\.com\n(ca\n)?rhsm\.conf\n$/,
    );
  };

  beforeAll(async () => {
    home = await TestHome.make();
    vendor = await StandInVendor.open();
    stop = new AbortController();
    inside = await openFamilyRoot(await home.context(), hostUserland);
    await inside.root.writeFiles(vendorPrograms(vendor));
    await inside.shell('printf \'ID=sles\\nVERSION_ID="15.6"\\n\' >/etc/os-release');
  });

  beforeEach(() => {
    stop = new AbortController();
    secret = SECRET;
  });

  afterEach(() => {
    vendor.refusal = undefined;
    vendor.broken.clear();
    vendor.asked.length = 0;
    vendor.seen.length = 0;
    vendor.systems.clear();
    shown.length = 0;
    found.length = 0;
  });

  afterAll(async () => {
    await inside[Symbol.asyncDispose]();
    await vendor[Symbol.asyncDispose]();
    expect(await traces(home.root)).toEqual([]);
    await home[Symbol.asyncDispose]();
  });

  describe.each(CASES)('$name', ({ name, family, subscription, manager }) => {
    const registration = registrationFor(family, subscription);

    test('packages come while it is registered, under a name of its own; the secret is in no process list, and nothing stays', async () => {
      await during(registration, install(manager));
      expect(await inside.shell('cat /usr/share/stand-in/hello')).toBe('hello\n');
      expect(vendor.asked).toEqual([expect.stringMatching(/^register ingot-[0-9a-f]{12}$/), expect.stringMatching(/^unregister /)]);
      expect(vendor.seen).toEqual([]);
      expect(inside.output.join('')).not.toContain(SECRET);
      await nothingLeft(registration);
      await expect(install(manager, 'later')()).rejects.toMatchObject({ code: 'command-failed' });
    });

    test('what the vendor refuses is told in its words, and nothing was registered', async () => {
      secret = 'another-secret-of-somebody';
      const error: unknown = await during(registration, install(manager)).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({
        code: 'subscription-refused',
        message: expect.stringMatching(name === 'RHEL' ? /activation keys specified/ : /Unknown Registration Code/),
      });
      expect(JSON.stringify([error, String(Object(error).detail)])).not.toContain(secret);
      vendor.refusal = 'Expired Registration Code.';
      secret = SECRET;
      await expect(during(registration, install(manager))).rejects.toMatchObject({ message: expect.stringContaining('Expired Registration Code') });
      await nothingLeft(registration);
      secret = '\n';
      await expect(during(registration, install(manager))).rejects.toMatchObject({ message: expect.stringContaining('is empty') });
    });

    test('what fails meanwhile stays the error, and it is unregistered all the same', async () => {
      await expect(during(registration, install(manager, 'absent'))).rejects.toMatchObject({
        code: 'command-failed',
        detail: expect.stringContaining('absent'),
      });
      expect(vendor.asked.at(-1)).toMatch(/^unregister /);
      await nothingLeft(registration);
    });

    test('where unregistering fails, that is the error, with the way to remove it', async () => {
      vendor.broken.add('unregister');
      await expect(during(registration, install(manager))).rejects.toMatchObject({
        code: 'unregistration-failed',
        message: expect.stringMatching(/^The system ingot-\w+ \(.*\) may still be registered at (Red Hat|SUSE): .*not available/),
        hint: expect.stringContaining('Remove it at https://'),
      });
      vendor.systems.clear();
      await nothingLeft(registration);
    });

    test('a system that keeps what it was called is refused', async () => {
      const keep = async (): Promise<void> =>
        void (await inside.shell('cat /etc/pki/consumer/cert.pem /etc/zypp/credentials.d/* >/etc/keeper.conf 2>/dev/null || true'));
      await during(registration, keep);
      const error: unknown = await refuseRegistered(inside.root, registration, found).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: 'registration-left' });
      expect(String(Object(error).detail)).toContain('/etc/keeper.conf');
      await inside.shell('rm /etc/keeper.conf');
      await nothingLeft(registration);
    });
  });

  test('repositories and modules are switched on, at a server of the own', async () => {
    const server = 'https://sat.example.org';
    const ca = '-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n';
    const rhel = registrationFor('rhel', { ...RHEL, server, ca, repositories: ['crb', 'supplementary'] });
    let conf = '';
    await during(rhel, async () => void (conf = await inside.shell('cat /etc/rhsm/rhsm.conf /etc/rhsm/ca/*')));
    expect(conf).toContain('https://sat.example.org/rhsm https://sat.example.org/pulp/content');
    expect(conf).toContain(ca);
    expect(vendor.asked.slice(1, 3)).toEqual(['enable crb', 'enable supplementary']);
    await nothingLeft(rhel);
    vendor.asked.length = 0;
    const sles = registrationFor('suse', {
      vendor: 'sles',
      server: 'https://rmt.example.org',
      email: 'me@example.org',
      modules: ['sle-module-containers', 'SLES-LTSS/15.5/x86_64'],
    });
    await during(sles, async () => void (conf = await inside.shell('cat /etc/SUSEConnect')));
    expect(conf).toContain('url: https://rmt.example.org');
    expect(vendor.asked.slice(1, 3)).toEqual([expect.stringMatching(/^enable sle-module-containers\/15\.6\/\w+$/), 'enable SLES-LTSS/15.5/x86_64']);
    await nothingLeft(sles);
  });

  test('a repository that there is not is told, and what is registered by then is taken back', async () => {
    const registration = registrationFor('rhel', { ...RHEL, repositories: ['no-such'] });
    await expect(during(registration, install('dnf'))).rejects.toMatchObject({
      code: 'subscription-refused',
      message: expect.stringContaining("'no-such' does not match"),
    });
    await nothingLeft(registration);
  });

  test('a SUSEConnect that takes a code on its command line alone is not given one where others see it', async () => {
    await inside.root.writeFiles(vendorPrograms(vendor, { oldSuseConnect: true }));
    const registration = registrationFor('suse', SLES);
    await expect(during(registration, install('zypper'))).rejects.toMatchObject({
      code: 'subscription-refused',
      message: expect.stringContaining('--workspace vm'),
    });
    expect(vendor.asked).toEqual([]);
    // Where it is, which a build does in the helper VM alone, the stand-in for the vendor sees it: so it would have seen it elsewhere.
    await during(registration, install('zypper'), 'vm');
    expect(vendor.seen).toEqual(expect.arrayContaining([expect.stringMatching(/^cmdline of/)]));
    await inside.root.writeFiles(vendorPrograms(vendor));
  });

  /** Another process, in a group of its own, that has registered a root and installs what never ends. */
  const hanging = async (): Promise<RunningProcess> => {
    const registered = new Promise<void>((resolve) => (vendor.onRegister = resolve));
    const running = hostProcesses.spawn([process.execPath, WORKER, home.root, vendor.url], { env: home.environment(), detached: true });
    await Promise.race([registered, running.ended]);
    vendor.onRegister = () => undefined;
    return running;
  };
  const lost = async (): Promise<string[]> => {
    const told: string[] = [];
    await tellLostRegistrations(await home.context(), (record) => void told.push(leftAtVendor(record).message));
    return told;
  };

  test('Ctrl-C, which every program of the terminal hears, unregisters before it ends', async () => {
    const running = await hanging();
    expect(vendor.systems.size).toBe(1);
    process.kill(-(running.pid ?? 0), 'SIGINT');
    expect(await running.ended).toMatchObject({ exitCode: 130 });
    expect([[...vendor.systems], await lost()]).toEqual([[], []]);
    expect(vendor.asked.at(-1)).toMatch(/^unregister /);
  });

  test('what kill -9 leaves at the vendor is told once, by its name there', async () => {
    const running = await hanging();
    process.kill(-(running.pid ?? 0), 'SIGKILL');
    await running.ended;
    const [name] = vendor.systems.values();
    expect(await lost()).toEqual([expect.stringContaining(`the system ${name}`)]);
    expect(await lost()).toEqual([]);
  });
});
