"use strict";
// A ZIP file of texts as they are, without compression (APPNOTE.TXT of PKWARE, version 2.0).

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, value) => {
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value;
});
function crc32(bytes) {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = CRC_TABLE[(crc ^ byte) & 255] ^ (crc >>> 8);
  return ~crc >>> 0;
}

// Numbers of 2 and 4 bytes, given as [bytes, value], the lowest byte first.
function packed(...fields) {
  const bytes = [];
  for (const [size, value] of fields)
    for (let i = 0; i < size; i++) bytes.push(Math.floor(value / 256 ** i) % 256);
  return Uint8Array.from(bytes);
}

// The parts of a ZIP file of [name, text] pairs; names are plain letters, no two alike.
function zipped(files) {
  const encoder = new TextEncoder(), parts = [], directory = [];
  const midnight = [2, 0], day = [2, (1 << 5) | 1]; // 1 January 1980: the page knows no better
  let offset = 0, listed = 0;
  for (const [name, text] of files) {
    const title = encoder.encode(name), content = encoder.encode(text);
    const size = [4, content.length];
    const facts = [[2, 20], [2, 0], [2, 0], midnight, day, [4, crc32(content)], size, size,
      [2, title.length], [2, 0]];
    const head = packed([4, 0x04034b50], ...facts);
    parts.push(head, title, content);
    const entry = packed([4, 0x02014b50], [2, 20], ...facts, [2, 0], [2, 0], [2, 0], [4, 0],
      [4, offset]);
    directory.push(entry, title);
    offset += head.length + title.length + content.length;
    listed += entry.length + title.length;
  }
  const count = [2, files.length];
  const end = packed([4, 0x06054b50], [2, 0], [2, 0], count, count, [4, listed], [4, offset], [2, 0]);
  return [...parts, ...directory, end];
}
