"""Verify a receipt in Python: python3 verify.py receipt.json keys.json ISSUER [action.json]

Needs the package `cryptography` for Ed25519. Copy `canonical`, `digest` and `verify` into
your executor.
"""
import base64
import hashlib
import json
import sys
from decimal import Decimal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


def number(x):
    """A number as RFC 8785 writes it, which is as JavaScript does."""
    if isinstance(x, int):
        if abs(x) > 2**53:
            raise ValueError("an integer is beyond 2^53")
        return str(x)
    if x == 0:
        return "0"
    sign, digits, exponent = Decimal(repr(x)).normalize().as_tuple()
    text, point = "".join(map(str, digits)), len(digits) + exponent
    if len(text) <= point <= 21:
        text += "0" * (point - len(text))
    elif 0 < point <= 21:
        text = text[:point] + "." + text[point:]
    elif -6 < point <= 0:
        text = "0." + "0" * -point + text
    else:
        text = text[0] + ("." + text[1:] if text[1:] else "") + "e" + format(point - 1, "+d")
    return "-" * sign + text


def canonical(value):
    """The RFC 8785 form of a value."""
    if isinstance(value, dict):
        names = sorted(value, key=lambda name: name.encode("utf-16-be"))
        return "{" + ",".join(canonical(n) + ":" + canonical(value[n]) for n in names) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(canonical, value)) + "]"
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return number(value)
    return json.dumps(value, ensure_ascii=False)


def read(text):
    """JSON, refusing a name that is given twice."""
    def members(pairs):
        if len({name for name, _ in pairs}) != len(pairs):
            raise ValueError("a name is given twice")
        return dict(pairs)
    return json.loads(text, object_pairs_hook=members)


def decode(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def digest(tool, arguments):
    """The digest of what is about to be done, to be compared with action_digest."""
    return hashlib.sha256(canonical({"arguments": arguments, "tool": tool}).encode()).hexdigest()


def verify(receipt, keys, issuer):
    """Raise unless one of the issuer's keys signed the receipt as it is."""
    if receipt["version"] != 1 or receipt["issuer"] != issuer:
        raise ValueError("not a receipt of this issuer")
    key = next((k for k in keys["keys"] if k["kid"] == receipt["key_id"] and k["crv"] == "Ed25519"), None)
    if key is None:
        raise ValueError("the receipt is signed with a key that the issuer does not have")
    signed = {name: value for name, value in receipt.items() if name != "signature"}
    Ed25519PublicKey.from_public_bytes(decode(key["x"])).verify(decode(receipt["signature"]), canonical(signed).encode())


def main(receipt, keys, issuer, action=None):
    with open(receipt, encoding="utf-8") as file:
        receipt = read(file.read())
    with open(keys, encoding="utf-8") as file:
        keys = read(file.read())
    verify(receipt, keys, issuer)
    if action is not None:
        with open(action, encoding="utf-8") as file:
            action = read(file.read())
        if digest(action["tool"], action.get("arguments") or {}) != receipt["action_digest"]:
            raise ValueError("this is not the action that was decided")
    print("authentic; single use not checked")


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except InvalidSignature:
        sys.exit("the signature does not fit the receipt")
    except (ValueError, KeyError, TypeError) as problem:
        sys.exit(f"not authentic: {problem}")
