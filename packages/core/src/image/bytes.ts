// Reading numbers and names out of an image. The image may be hostile: every read is checked, and what does not fit is a defect
// of the image, never a wrong number.

/** An image, or a part of one, to be looked at. */
export interface ImageReader {
  /** bytes */
  readonly size: number;
  /** The bytes at an offset; fewer than asked for at the end of the image, none beyond it. */
  read(offset: number, length: number): Buffer;
}

/** What is wrong with an image, in words that go on after "cannot use the image X: ". */
export class ImageDefect extends Error {
  readonly hint: string | undefined;

  constructor(reason: string, hint?: string) {
    super(reason);
    this.name = 'ImageDefect';
    this.hint = hint;
  }
}

/** Whether the image has exactly these bytes (one character each) at the offset. */
export function hasBytes(image: ImageReader, offset: number, bytes: string): boolean {
  return image.read(offset, bytes.length).toString('latin1') === bytes;
}

/**
 * An unsigned little-endian number of 64 bits.
 * @throws ImageDefect beyond 2^53: no image is that large
 */
export function uint64(bytes: Buffer, offset: number): number {
  const value = bytes.readUInt32LE(offset) + bytes.readUInt32LE(offset + 4) * 0x100000000;
  if (!Number.isSafeInteger(value)) throw new ImageDefect('its partition table has a number that is too large');
  return value;
}

/** A GUID as text, lower case; its first three fields are little-endian on the disk (UEFI specification, appendix A). */
export function guid(bytes: Buffer, offset: number): string {
  const hex = (from: number, to: number): string => bytes.toString('hex', offset + from, offset + to);
  const reversed = (from: number, to: number): string =>
    Buffer.from(bytes.subarray(offset + from, offset + to))
      .reverse()
      .toString('hex');
  return `${reversed(0, 4)}-${reversed(4, 6)}-${reversed(6, 8)}-${hex(8, 10)}-${hex(10, 16)}`;
}

let table: Uint32Array | undefined;

/** The CRC-32 of GPT (ISO 3309, polynomial 0x04c11db7 reflected). zlib's is missing in Node 20. */
export function crc32(bytes: Uint8Array): number {
  table ??= Uint32Array.from({ length: 256 }, (_, byte) => {
    let crc = byte;
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
    return crc;
  });
  let crc = 0xffffffff;
  for (const byte of bytes) crc = (crc >>> 8) ^ (table[(crc ^ byte) & 0xff] as number);
  return (crc ^ 0xffffffff) >>> 0;
}
