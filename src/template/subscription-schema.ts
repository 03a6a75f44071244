import * as z from 'zod';
import { textFrom } from './text.ts';

const secretName = z.strictObject({ secret: z.string().describe('Name of the secret') });

/** How a build registers at a distribution that serves packages to its customers alone. Which keys go together depends on the release: see `resolveSubscription`. */
export const subscriptionSchema = z
  .strictObject({
    organization: z
      .string()
      .regex(/^[A-Za-z0-9_.-]+$/, 'must be the number or label of an organization: letters, digits, dots, dashes and underscores')
      .optional()
      .describe('RHEL: the organization, by its number at Red Hat or its label on a Satellite'),
    'activation-key': secretName.optional().describe('RHEL: secret that holds the activation key'),
    repositories: z
      .array(z.string().regex(/^[A-Za-z0-9_.][A-Za-z0-9_.-]*$/, 'must be the identifier of a repository'))
      .default([])
      .describe('RHEL: repositories that are switched on besides: codeready-builder-for-rhel-9-x86_64-rpms'),
    'registration-code': secretName.optional().describe('SLES: secret that holds the registration code; a server of your own may want none'),
    email: z
      .string()
      .regex(/^[^\s@-][^\s@]*@[^\s@]+$/, 'must be an e-mail address')
      .optional()
      .describe('SLES: e-mail address that the registration is for'),
    modules: z
      .array(z.string().regex(/^[A-Za-z0-9_][A-Za-z0-9_.-]*(\/[A-Za-z0-9_.-]+\/[A-Za-z0-9_]+)?$/, 'must be a module, or module/version/architecture'))
      .default([])
      .describe("SLES: modules and extensions besides the base product's own: sle-module-containers, or with version and architecture"),
    server: z
      .string()
      .regex(/^https:\/\/[A-Za-z0-9.-]+(:[1-9][0-9]{0,4})?\/?$/, 'must be an https address without a path')
      .optional()
      .describe("A server of your own instead of the vendor's: a Satellite or Katello for RHEL, an RMT for SLES"),
    ca: textFrom.optional().describe('Certificate of the authority that vouches for `server`, PEM; in the image while it is registered, and not longer'),
  })
  .describe('RHEL and SLES: each layer that installs packages is registered while it is made, and unregistered before it is stored');
