/*
 * The names of the OCI image layout, apart from the schemas: a listing needs these alone, and must not wait for zod.
 */

export const MEDIA_TYPES = {
  index: 'application/vnd.oci.image.index.v1+json',
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  /** A qcow2 file; its backing file, if any, is the blob of the layer below. */
  layer: 'application/vnd.ingot.disk.layer.v1.qcow2',
  /** The empty config of an artifact manifest (image-spec: guidance for artifacts). */
  empty: 'application/vnd.oci.empty.v1+json',
  /** A statement about an image, as JSON. */
  statement: 'application/vnd.ingot.statement.v1+json',
  /** A signed statement: DSSE's envelope. */
  envelope: 'application/vnd.dsse.envelope.v1+json',
  /** What another machine's layer cache knows of a layer. */
  cacheEntry: 'application/vnd.ingot.layer-cache.v1+json',
} as const;

export const ANNOTATIONS = {
  /** `name:tag` of an image, in index.json (image-spec). */
  reference: 'org.opencontainers.image.ref.name',
  created: 'org.opencontainers.image.created',
  /** File name of a layer for clients that unpack to a folder: the hex digest, which is what backing names say. */
  title: 'org.opencontainers.image.title',
  /** Name of an image without its tag, so that an image that lost its last tag still has one. */
  name: 'dev.ingot.name',
  /** What a listing shows, so that it opens index.json alone. */
  virtualSize: 'dev.ingot.virtual-size',
  storedSize: 'dev.ingot.stored-size',
  release: 'dev.ingot.release',
  /** Names of the roles in it, with spaces between them; absent where there is none, and on images that older versions stored. */
  roles: 'dev.ingot.roles',
  config: 'dev.ingot.config',
  gate: 'dev.ingot.gate',
  /** Why an image cannot be used, as `image verify --repair` found it. */
  damaged: 'dev.ingot.damaged',
  /** On a statement's descriptor: the manifest it is about, and its kind. */
  subject: 'dev.ingot.subject',
  statementKind: 'dev.ingot.statement',
  /** On a signed statement: what it is of (in-toto), and the identifier of the key that signed it. */
  predicate: 'in-toto.io/predicate-type',
  key: 'dev.ingot.key',
} as const;
