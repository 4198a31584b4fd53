// Verify a receipt in JavaScript: node verify.mjs receipt.json keys.json ISSUER [action.json]
// Needs nothing but Node's own crypto. Copy canonical, digest and verify into your executor.
import { createHash, createPublicKey, verify as check } from "node:crypto";
import { readFileSync } from "node:fs";

// canonical is the RFC 8785 form of a value: JSON.stringify with sorted names.
export function canonical(value) {
  if (Array.isArray(value)) return "[" + value.map(canonical).join(",") + "]";
  if (value !== null && typeof value === "object") {
    const names = Object.keys(value).sort();
    return "{" + names.map((n) => JSON.stringify(n) + ":" + canonical(value[n])).join(",") + "}";
  }
  if (typeof value === "number" && Math.abs(value) > 2 ** 53 && Number.isInteger(value)) {
    throw new Error("an integer is beyond 2^53");
  }
  return JSON.stringify(value);
}

// digest is the digest of what is about to be done, to be compared with action_digest.
export function digest(tool, args) {
  return createHash("sha256").update(canonical({ arguments: args, tool })).digest("hex");
}

// verify throws unless one of the issuer's keys signed the receipt as it is.
export function verify(receipt, keys, issuer) {
  if (receipt.version !== 1 || receipt.issuer !== issuer) throw new Error("not a receipt of this issuer");
  const key = keys.keys.find((k) => k.kid === receipt.key_id && k.crv === "Ed25519");
  if (!key) throw new Error("the receipt is signed with a key that the issuer does not have");
  const { signature, ...signed } = receipt;
  const publicKey = createPublicKey({ key: { kty: key.kty, crv: key.crv, x: key.x }, format: "jwk" });
  if (!check(null, Buffer.from(canonical(signed)), publicKey, Buffer.from(signature, "base64url"))) {
    throw new Error("the signature does not fit the receipt");
  }
}

function main([receiptFile, keysFile, issuer, actionFile]) {
  const read = (file) => JSON.parse(readFileSync(file, "utf8"));
  const receipt = read(receiptFile);
  verify(receipt, read(keysFile), issuer);
  if (actionFile) {
    const action = read(actionFile);
    if (digest(action.tool, action.arguments ?? {}) !== receipt.action_digest) {
      throw new Error("this is not the action that was decided");
    }
  }
  console.log("authentic; single use not checked");
}

if (import.meta.filename === process.argv[1] || import.meta.url === `file://${process.argv[1]}`) {
  try {
    main(process.argv.slice(2));
  } catch (problem) {
    console.error(`not authentic: ${problem.message}`);
    process.exit(1);
  }
}
