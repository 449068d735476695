/** Published test vectors of the primitives in core/crypto.ts. */
import { utf8 } from "../core/encoding.ts";

export const KEY_15 = "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308";
export const PLAIN_15 =
  "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255";
export const CIPHER_15 =
  "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad";

/** Name, key, nonce, AAD, plaintext, ciphertext, tag, in hex. */
export const VECTORS: readonly (readonly [string, string, string, string, string, string, string])[] = [
  // McGrew and Viega, "The Galois/Counter Mode of Operation", appendix B: the cases of AES-256 with a 96-bit nonce.
  ["GCM 13", "00".repeat(32), "00".repeat(12), "", "", "", "530f8afbc74536b9a963b4f1c4cb738b"],
  [
    "GCM 14",
    "00".repeat(32),
    "00".repeat(12),
    "",
    "00".repeat(16),
    "cea7403d4d606b6e074ec5d3baf39d18",
    "d0d1c8a799996bf0265b98b5d48ab919",
  ],
  ["GCM 15", KEY_15, "cafebabefacedbaddecaf888", "", PLAIN_15, CIPHER_15, "b094dac5d93471bdec1a502270e3cc6c"],
  [
    "GCM 16",
    KEY_15,
    "cafebabefacedbaddecaf888",
    "feedfacedeadbeeffeedfacedeadbeefabaddad2",
    PLAIN_15.slice(0, 120),
    CIPHER_15.slice(0, 120),
    "76fc6ece0f4e1768cddf8853bb2d551b",
  ],
  // NIST CAVP, gcmEncryptExtIV256.rsp, the first of [PTlen = 0, AADlen = 0], [0, 128] and [128, 0].
  [
    "CAVP 0/0",
    "b52c505a37d78eda5dd34f20c22540ea1b58963cf8e5bf8ffa85f9f2492505b4",
    "516c33929df5a3284ff463d7",
    "",
    "",
    "",
    "bdc1ac884d332457a1d2664f168c76f0",
  ],
  [
    "CAVP 0/128",
    "78dc4e0aaf52d935c3c01eea57428f00ca1fd475f5da86a49c8dd73d68c8e223",
    "d79cf22d504cc793c3fb6c8a",
    "b96baa8c1c75a671bfb2d08d06be5f36",
    "",
    "",
    "3e5d486aa2e30b22e040b85723a06e76",
  ],
  [
    "CAVP 128/0",
    "31bdadd96698c204aa9ce1448ea94ae1fb4a9a0b3c9d773b51bb1822666b8f22",
    "0d18e06c7c725ac9e362e1ce",
    "",
    "2db5168e932556f8089a0622981d017d",
    "fa4362189661d163fcd6a56d8bf0405a",
    "d636ac1bbedd5cc3ee727dc2ab4a9489",
  ],
];

/** RFC 4231, cases 1 to 4, 6 and 7 (5 is of a truncated result): key, message, HMAC-SHA256. */
const LARGER = "aa".repeat(131);
export const HMACS: readonly (readonly [string, string, Uint8Array, string])[] = [
  ["1", "0b".repeat(20), utf8("Hi There"), "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"],
  [
    "2",
    utf8("Jefe").toHex(),
    utf8("what do ya want for nothing?"),
    "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
  ],
  [
    "3",
    "aa".repeat(20),
    Uint8Array.fromHex("dd".repeat(50)),
    "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
  ],
  [
    "4",
    "0102030405060708090a0b0c0d0e0f10111213141516171819",
    Uint8Array.fromHex("cd".repeat(50)),
    "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b",
  ],
  [
    "6",
    LARGER,
    utf8("Test Using Larger Than Block-Size Key - Hash Key First"),
    "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
  ],
  [
    "7",
    LARGER,
    utf8(
      "This is a test using a larger than block-size key and a larger than block-size data. The key needs to be hashed before being used by the HMAC algorithm.",
    ),
    "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
  ],
];
