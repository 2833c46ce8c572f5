"""Who signed the records of an export, and what their sealed words are. See `check_alert.py`.

Sources: `proto/keng/v1`; RFC 8032; FIPS 180-4; W3C Web Authentication, level 2, section 7.2. Only
hashlib and openssl. Of passkeys only those of kind ES256 are checked; another one is not believed.
"""
import base64
import hashlib
import json
import pathlib
import subprocess
import tempfile

# The DER of an Ed25519 public key begins so (RFC 8410).
ED25519 = bytes.fromhex("302a300506032b6570032100")
# That of a point of P-256 (RFC 5480), and the COSE_Key of one, before x and before y.
P256 = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004")
COSE_X, COSE_Y = bytes.fromhex("a5010203262001215820"), bytes.fromhex("225820")
# How an actor is known: by an own key, or by what a service says.
KNOWN = (b"key", b"token", b"local", b"service", b"link")


def digest(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def signed_by(public, message, signature):
    return verified(ED25519 + public, message, signature)


def signed_by_key(facts, message, signature):
    if 7 in facts:
        return signed_by_passkey(facts, message, fields(signature))
    return signed_by(facts[1], message, signature)


def signed_by_passkey(facts, message, assertion):
    """The person was there and verified (flags 1 and 4), at the place that the key is for."""
    public, rp = facts[1], facts[8]
    data, client, signature = (assertion[number] for number in (1, 2, 3))
    said = json.loads(client)
    place = said["origin"].removeprefix("https://").removeprefix("http://").split(":")[0]
    wanted = base64.urlsafe_b64encode(digest(message)).rstrip(b"=").decode()
    is_asked = said["type"] == "webauthn.get" and said["challenge"] == wanted
    is_here = place == rp.decode() and data[:32] == digest(rp) and not said.get("crossOrigin")
    x, y = public[10:42], public[45:]
    assert public == COSE_X + x + COSE_Y + y and len(y) == 32, "passkey: not checked"
    return is_asked and is_here and data[32] & 5 == 5 and verified(
        P256 + x + y, data + digest(client), signature, "-digest", "sha256")


def verified(key, message, signature, *how):
    with tempfile.TemporaryDirectory() as folder:
        files = [pathlib.Path(folder) / name for name in ("key", "message", "signature")]
        for file, content in zip(files, (key, message, signature)):
            file.write_bytes(content)
        return subprocess.run(
            ["openssl", "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-rawin", "-inkey",
             files[0], "-in", files[1], "-sigfile", files[2], *how],
            capture_output=True).returncode == 0


def fields(message):
    """A protobuf message of numbers and bytes: the last value of each field."""
    found, at = {}, 0

    def number():
        nonlocal at
        at, value = at + 1, message[at]
        return value if value < 128 else value - 128 + (number() << 7)
    while at < len(message):
        tag, value = number(), number()
        if tag & 7:
            at, value = at + value, message[at:at + value]
        found[tag >> 3] = value
    return found


def actor(field):
    """Who asked; None where the field holds no actor, but an id, say."""
    try:
        found = fields(field)
        return found if found[1] and found[5] in KNOWN else None
    except (IndexError, KeyError, TypeError):
        return None


def check_signature(keys, by, message, signature):
    """A person signs by an own key; what a service says is signed by the service's."""
    kind, key, value = signature[0], signature[1:17], signature[17:]
    facts = keys[key]
    assert signed_by_key(facts, message, value), "the signature is wrong"
    if by[5] == b"key":
        same = [facts.get(number + 1) == by.get(number) for number in (1, 2, 3, 4)]
        assert kind == (2 if 7 in facts else 1) and all(same), "the key is somebody else's"
    else:
        assert kind == 3 and facts[2].startswith(b"service:"), "no service's key"


def learn(keys, asked, by, record):
    """What a record says of a key: 100 asks for it, 101 makes it good, 102 ends it."""
    decided = {100: record.get(100)} if by else fields(fields(record.get(20, b"")).get(1, b""))
    if decided.get(100) or 101 in decided:
        facts = fields(fields(decided.get(100) or decided[101])[1])
        key, holder = digest(facts[1])[:16], facts[2]
        proof = b"keng.v1.key\0" + holder + b"\0" + facts[1]
        assert signed_by_key(facts, proof, facts[6]), "the key's own proof is wrong"
        if by and by[5] == b"service":
            keys.setdefault(key, facts)
        elif not by and 100 in decided:
            asked.setdefault(key, facts)
        elif not by and asked.get(key) == facts and actor(record[6])[1] != holder:
            keys[key] = facts
    elif 102 in decided and not by:
        keys.pop(bytes.fromhex(fields(decided[102])[1].decode()), None)


def check_words(folder, index, record, stands):
    """What is sealed is what was committed to, or an order erased it."""
    words, erased = folder / "words" / str(index), folder / "words" / f"{index}.erased"
    if words.exists():
        assert digest(b"keng.v1.sealed\0", words.read_bytes()) == stands, f"other words: {index}"
        return
    order = fields((folder / "records" / erased.read_text().strip()).read_bytes())
    name, of = fields(order[2])[1], fields(record[2])[1]
    is_of = name.startswith(b"erasure-") and name[8:] in of
    assert is_of and 91 in fields(fields(order[20])[1]), "there is no such order"


def check(folder, records):
    """Each record with its number, in order; answers with how many are signed."""
    keys, asked, signed = {}, {}, 0
    for index, message in records:
        record = fields(message)
        by, beside = actor(record.get(4)), folder / "signatures" / str(index)
        learn(keys, asked, by, record)
        if beside.exists():
            check_signature(keys, by, message, beside.read_bytes())
            signed += 1
        else:
            assert not by, f"record {index} is not signed"
        stands = record.get(7 if by else 9)
        if stands and (folder / "words").exists():
            check_words(folder, index, record, stands)
    return signed
