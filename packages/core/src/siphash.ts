// SipHash-2-4 (Aumasson and Bernstein): what systemd-nspawn makes interface names and hardware addresses with, so that a
// machine keeps them when it changes its launcher. A name or two at a start: BigInt is fast enough.

const MASK = 0xffffffffffffffffn;

function rotate(value: bigint, by: bigint): bigint {
  return ((value << by) | (value >> (64n - by))) & MASK;
}

/** The 64 bits of eight bytes, the lowest first. */
function word(bytes: readonly number[], at: number): bigint {
  let value = 0n;
  for (let i = 7; i >= 0; i -= 1) value = (value << 8n) | BigInt(bytes[at + i] ?? 0);
  return value;
}

/**
 * @param key 16 bytes
 * @returns 64 bits
 */
export function siphash24(data: readonly number[], key: readonly number[]): bigint {
  const k0 = word(key, 0);
  const k1 = word(key, 8);
  let v0 = k0 ^ 0x736f6d6570736575n;
  let v1 = k1 ^ 0x646f72616e646f6dn;
  let v2 = k0 ^ 0x6c7967656e657261n;
  let v3 = k1 ^ 0x7465646279746573n;
  const rounds = (count: number): void => {
    for (let i = 0; i < count; i += 1) {
      v0 = (v0 + v1) & MASK;
      v1 = rotate(v1, 13n) ^ v0;
      v0 = rotate(v0, 32n);
      v2 = (v2 + v3) & MASK;
      v3 = rotate(v3, 16n) ^ v2;
      v0 = (v0 + v3) & MASK;
      v3 = rotate(v3, 21n) ^ v0;
      v2 = (v2 + v1) & MASK;
      v1 = rotate(v1, 17n) ^ v2;
      v2 = rotate(v2, 32n);
    }
  };
  const absorb = (block: bigint): void => {
    v3 ^= block;
    rounds(2);
    v0 ^= block;
  };
  const whole = data.length - (data.length % 8);
  for (let at = 0; at < whole; at += 8) absorb(word(data, at));
  absorb(word(data.slice(whole), 0) | (BigInt(data.length & 0xff) << 56n));
  v2 ^= 0xffn;
  rounds(4);
  return v0 ^ v1 ^ v2 ^ v3;
}
