// What a partition is for, told by its type: the Discoverable Partitions Specification (uapi-group.org).

/** Kinds of partition by the names that --image-policy has for them. */
export const DESIGNATORS = [
  'root',
  'usr',
  'home',
  'srv',
  'esp',
  'xbootldr',
  'swap',
  'root-verity',
  'usr-verity',
  'root-verity-sig',
  'usr-verity-sig',
  'tmp',
  'var',
] as const;

export type Designator = (typeof DESIGNATORS)[number];

/** Type of a partition that holds any Linux file system. */
export const LINUX_GENERIC = '0fc63daf-8483-4772-8e79-3d69d8477de4';

/** Types that are the same on every architecture. */
const COMMON: { readonly [type: string]: Designator } = {
  'c12a7328-f81f-11d2-ba4b-00a0c93ec93b': 'esp',
  'bc13c2ff-59e6-4262-a352-b275fd6f7172': 'xbootldr',
  '0657fd6d-a4ab-43c4-84e5-0933c84b4f4f': 'swap',
  '933ac7e1-2eb4-4f13-b844-0e14e2aef915': 'home',
  '3b8f8425-20e0-4f3b-907f-1a25a76f98e8': 'srv',
  '4d21b016-b534-45c2-a9fb-5c16e091fd2d': 'var',
  '7ec6f557-3bc5-4aca-b293-16ef5df639d1': 'tmp',
};

const PER_ARCHITECTURE = ['root', 'usr', 'root-verity', 'usr-verity', 'root-verity-sig', 'usr-verity-sig'] as const;

/** Types of each architecture (as uname -m names it), in the order of PER_ARCHITECTURE. */
const ARCHITECTURES: { readonly [architecture: string]: readonly string[] } = {
  x86_64: [
    '4f68bce3-e8cd-4db1-96e7-fbcaf984b709',
    '8484680c-9521-48c6-9c11-b0720656f69e',
    '2c7357ed-ebd2-46d9-aec1-23d437ec2bf5',
    '77ff5f63-e7b6-4633-acf4-1565b864c0e6',
    '41092b05-9fc8-4523-994f-2def0408b176',
    'e7bb33fb-06cf-4e81-8273-e543b413e2e2',
  ],
  i686: [
    '44479540-f297-41b2-9af7-d131d5f0458a',
    '75250d76-8cc6-458e-bd66-bd47cc81a812',
    'd13c5d3b-b5d1-422a-b29f-9454fdc89d76',
    '8f461b0d-14ee-4e81-9aa9-049b6fb97abd',
    '5996fc05-109c-48de-808b-23fa0830b676',
    '974a71c0-de41-43c3-be5d-5c5ccd1ad2c0',
  ],
  aarch64: [
    'b921b045-1df0-41c3-af44-4c6f280d3fae',
    'b0e01050-ee5f-4390-949a-9101b17104e9',
    'df3300ce-d69f-4c92-978c-9bfb0f38d820',
    '6e11a4e7-fbca-4ded-b9e9-e1a512bb664e',
    '6db69de6-29f4-4758-a7a5-962190f00ce3',
    'c23ce4ff-44bd-4b00-b2d4-b41b3419e02a',
  ],
  armv8l: [
    '69dad710-2ce4-4e3c-b16c-21a1d49abed3',
    '7d0359a3-02b3-4f0a-865c-654403e70625',
    '7386cdf2-203c-47a9-a498-f2ecce45a2d6',
    'c215d751-7bcd-4649-be90-6627490a4c05',
    '42b0455f-eb11-491d-98d3-56145ba9d037',
    'd7ff812f-37d1-4902-a810-d76ba57b975a',
  ],
  riscv64: [
    '72ec70a6-cf74-40e6-bd49-4bda08e8f224',
    'beaec34b-8442-439b-a40b-984381ed097d',
    'b6ed5582-440b-4209-b8da-5ff7c419ea3d',
    '8f1056be-9b05-47c4-81d6-be53128e5b54',
    'efe0f087-ea8d-4469-821a-4c2a96a8386a',
    'd2f9000a-7a18-453f-b5cd-4d32f77a7b32',
  ],
};

/** What a GPT type stands for; undefined for one that is of no concern here. */
export interface TypeMeaning {
  readonly designator: Designator;
  /** the machines that can run what is in it; absent where that does not matter */
  readonly architecture?: string;
}

/** @param type a GUID, lower case */
export function meaningOf(type: string): TypeMeaning | undefined {
  const common = Object.hasOwn(COMMON, type) ? COMMON[type] : undefined;
  if (common !== undefined) return { designator: common };
  for (const [architecture, types] of Object.entries(ARCHITECTURES)) {
    const designator = PER_ARCHITECTURE[types.indexOf(type)];
    if (designator !== undefined) return { designator, architecture };
  }
  return undefined;
}

/** The partition whose contents a verity or signature partition vouches for. */
export function dataOf(designator: Designator): 'root' | 'usr' | undefined {
  const match = /^(root|usr)-verity(?:-sig)?$/.exec(designator);
  return match?.[1] as 'root' | 'usr' | undefined;
}

/** Where in the guest a partition goes; undefined for what is not mounted. The ESP's place depends on what the root has. */
export function mountPointOf(designator: Designator): string | undefined {
  switch (designator) {
    case 'root':
      return '/';
    case 'usr':
    case 'home':
    case 'srv':
    case 'var':
      return `/${designator}`;
    case 'tmp':
      return '/var/tmp';
    case 'xbootldr':
      return '/boot';
    case 'esp':
      return '/efi';
    default:
      return undefined;
  }
}
